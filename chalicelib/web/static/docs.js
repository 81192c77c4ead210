// Starts Swagger UI on our own document, in the theme and with the key of the pages.

import { apiKey } from "./api.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

function followTheme() {
  const chosen = document.documentElement.dataset.theme;
  document.documentElement.classList.toggle("dark-mode", chosen ? chosen === "dark" : dark.matches);
}

followTheme();
dark.addEventListener("change", followTheme);

const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // Nothing about this interface is told to anybody else.
  validatorUrl: null,
  onComplete() {
    if (apiKey.get()) ui.preauthorizeApiKey("key", apiKey.get());
  },
});
