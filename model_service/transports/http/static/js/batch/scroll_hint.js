// Shows that a wide table goes on beside what is in view: a shadow at the edge, and a line for those who see none.
// The scroller is the first child of the frame; a line of words is found by the frame's data-hint.

export function watchScroll(frame) {
  const scroller = frame.firstElementChild;
  const line = document.getElementById(frame.dataset.hint);
  const show = () => {
    const beyond = scroller.scrollWidth - scroller.clientWidth;
    frame.classList.toggle("more-before", scroller.scrollLeft > 1);
    frame.classList.toggle("more-after", beyond - scroller.scrollLeft > 1);
    if (line) line.hidden = beyond <= 1;
  };
  scroller.addEventListener("scroll", show, { passive: true });
  const observer = new ResizeObserver(show);
  observer.observe(scroller);
  observer.observe(scroller.firstElementChild);
}
