/** Token: what the daemon asks for where it listens to others than this host. Kept by this tab only. */

import { byId, reveal, write } from "./element.js";

const KEY = "omnishotd.token";
/** What may stand in a WebSocket's subprotocol, the only place where a browser can put it. */
const ALLOWED = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

export const readToken = () => sessionStorage.getItem(KEY) ?? "";

export class TokenForm {
  #form = byId("token");
  #field = byId("token-text");
  #fault = byId("token-fault");

  /** `onToken()` is called when there is a new one to try. */
  constructor(onToken) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const token = this.#field.value.trim();
      this.#field.value = "";
      if (!ALLOWED.test(token)) {
        write(this.#fault, "This cannot be a token: it has a space, or another sign that no token has.");
        return;
      }
      sessionStorage.setItem(KEY, token);
      write(this.#fault, "");
      onToken();
    });
  }

  /** Ask for it. A token that was kept was not accepted. */
  ask() {
    if (readToken()) write(this.#fault, "The daemon did not accept this token.");
    sessionStorage.removeItem(KEY);
    if (!this.#form.hidden) return;
    reveal(this.#form, true);
    this.#field.focus();
  }

  hide() {
    reveal(this.#form, false);
    write(this.#fault, "");
  }
}
