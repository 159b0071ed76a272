// Starts Swagger UI on the document that the page names. It runs before Swagger UI's own script.

// That script would scroll to the targets of links by itself, and not give them the focus.
window.noZensmooth = true;

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("swagger-ui");
  window.SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    deepLinking: true,
    displayRequestDuration: true,
    validatorUrl: null, // the default asks a server elsewhere
  });
});
