// A page that shows a loading model looks again until it is ready or has failed.
if (document.querySelector("[data-loading]")) {
  setTimeout(() => location.reload(), 3000);
}
