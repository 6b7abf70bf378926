/**
 * Health: asks `/health`. It is asked before the feed is opened, too: a browser does not tell why a WebSocket was
 * refused, and here a missing token can be told from a daemon that is not there.
 */

const PATIENCE_MS = 5000;

/**
 * Ask once. Never throws.
 * @returns {Promise<{kind: "told", health: object} | {kind: "refused"} | {kind: "unreachable", reason: string}>}
 */
export async function askHealth(token) {
  try {
    const answer = await fetch(new URL("health", document.baseURI), {
      headers: token ? { Authorization: `Bearer ${token}` } : {},
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (answer.status === 401) return { kind: "refused" };
    const body = await answer.json();
    if (body.checks) return { kind: "told", health: body };
    return { kind: "unreachable", reason: body.error ?? `the daemon answers with status ${answer.status}` };
  } catch (error) {
    const isSilent = error.name === "TimeoutError";
    return { kind: "unreachable", reason: isSilent ? "the daemon does not answer" : "the daemon cannot be reached" };
  }
}
