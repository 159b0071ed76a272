// Long work in short slices, so that the tab draws and listens in between. It knows no file.

const SLICE_MS = 12;

export class Slices {
  #end = performance.now() + SLICE_MS;

  constructor(signal) {
    this.signal = signal;
  }

  // Cheap enough to ask for every row; only then is it worth waiting for `next`.
  get isOver() {
    return performance.now() > this.#end;
  }

  // Lets the tab breathe; throws when the work is no longer wanted.
  async next() {
    await new Promise((resolve) => setTimeout(resolve));
    this.signal?.throwIfAborted();
    this.#end = performance.now() + SLICE_MS;
  }
}
