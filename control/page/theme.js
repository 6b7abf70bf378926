/** Theme: dark or light, as the system has it unless the operator chose. */

import { byId, mark, write } from "./element.js";

const KEY = "omnishotd.theme";
const THEMES = ["system", "dark", "light"];

function apply(theme) {
  mark(document.documentElement, "data-theme", theme === "system" ? null : theme);
  write(byId("theme-name"), theme);
}

/** Apply what was chosen before, and let the button choose the next. */
export function startTheme() {
  let theme = THEMES.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : THEMES[0];
  apply(theme);
  byId("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    localStorage.setItem(KEY, theme);
    apply(theme);
  });
}
