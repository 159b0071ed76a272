// A browser keeps the cookie back when a link of another site leads here. Who is signed in already goes on.

const form = document.querySelector("form[method=post]");
const isFirst = document.getElementById("problem") === null && document.getElementById("ended") === null;

if (isFirst) {
  const answer = await fetch(new URL("api/models", document.baseURI.replace(/sign-in.*$/, ""))).catch(() => null);
  const place = form.elements.next.value;
  if (answer?.ok) location.replace(new URL(form.action).pathname.replace(/\/sign-in$/, "") + place);
}
document.getElementById("key").focus();
