// Light or dark: what the system prefers, until the person chooses. Runs before the first paint.
(() => {
  const KEY = "model_service.theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  let unsaved = null; // where storage is switched off, a choice lasts as long as the page

  function chosen() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return unsaved;
    }
  }

  function apply() {
    const theme = chosen() ?? (system.matches ? "dark" : "light");
    document.documentElement.dataset.bsTheme = theme;
    document.documentElement.classList.toggle("dark-mode", theme === "dark"); // what Swagger UI goes by
    const button = document.getElementById("theme-toggle");
    if (button) button.textContent = theme === "dark" ? "Light colours" : "Dark colours"; // what a click brings
  }

  function toggle() {
    unsaved = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEY, unsaved);
    } catch {
      // `chosen` then answers what is unsaved.
    }
    apply();
  }

  apply();
  system.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme-toggle")?.addEventListener("click", toggle);
  });
})();
