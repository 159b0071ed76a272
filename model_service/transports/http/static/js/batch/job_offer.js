// Offers to send a file as a job: what is too large for a tab, or no text, is no trouble for the service.

//: What only the service reads.
const FOR_SERVICE = /\.(parquet|pq|arrows?|fasta|fa|fna|faa|gz)$/i;

export class JobOffer {
  constructor(root, { jobs_path, jobs_page }) {
    this.root = root;
    this.path = jobs_path;
    this.page = jobs_page;
    this.file = null;
    this.request = null;
    root.querySelector("[data-send-job]").addEventListener("click", () => this.send());
    root.querySelector("[data-stop]").addEventListener("click", () => this.request?.abort());
  }

  // Says why, if this service takes jobs.
  offer(file, why) {
    if (!this.path) return;
    this.request?.abort();
    this.file = file;
    this.root.querySelector("[data-why]").textContent = why;
    this.showSending(false);
    this.root.hidden = false;
  }

  // Whether this page cannot read a file, but the service can.
  takes(file) {
    return Boolean(this.path) && FOR_SERVICE.test(file.name);
  }

  hide() {
    this.request?.abort();
    this.root.hidden = true;
  }

  send() {
    const request = new XMLHttpRequest(); // fetch does not tell how much has been sent
    const address = `${this.path}?file_name=${encodeURIComponent(this.file.name)}`;
    request.open("POST", address);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", "application/octet-stream"); // the name tells the format
    request.upload.addEventListener("progress", ({ loaded, total }) => this.showShare(total ? loaded / total : 0));
    request.addEventListener("load", () => this.end(request));
    request.addEventListener("error", () => this.fail("The service cannot be reached; send the file again."));
    request.addEventListener("abort", () => this.showSending(false));
    this.request = request;
    this.showSending(true);
    this.showShare(0);
    request.send(this.file);
  }

  end(request) {
    if (request.status === 202) {
      window.location.assign(this.page);
      return;
    }
    let detail = `The service answered ${request.status}; send the file again.`;
    try {
      ({ detail } = JSON.parse(request.responseText));
    } catch {
      // not the service's own answer: the status must do
    }
    this.fail(detail);
  }

  fail(sentence) {
    this.showSending(false);
    const fault = this.root.querySelector("[data-fault]");
    fault.textContent = sentence;
    fault.hidden = false;
  }

  showSending(isSending) {
    this.root.querySelector("[data-fault]").hidden = true;
    this.root.querySelector("[data-send-job]").hidden = isSending;
    this.root.querySelector("[data-sending]").hidden = !isSending;
  }

  showShare(share) {
    const percent = Math.floor(100 * share);
    const bar = this.root.querySelector("[role=progressbar]");
    bar.setAttribute("aria-valuenow", percent);
    bar.firstElementChild.style.width = `${percent}%`;
  }
}
