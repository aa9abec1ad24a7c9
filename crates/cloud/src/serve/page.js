// Asks the security key, tells the server, goes where the server says.
"use strict";
const main = document.querySelector("main[data-sign-in]");
const button = document.getElementById("go");
const told = document.getElementById("told");

const octets = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function ask(path, body) {
  const reply = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const json = await reply.json();
  if (!reply.ok) throw new Error(json.error_description || json.error?.message || "refused");
  return json;
}

async function signIn() {
  const name = main.dataset.signIn;
  const { nonce, publicKey } = await ask("/signin/webauthn/begin", { signIn: name });
  publicKey.challenge = octets(publicKey.challenge);
  const key = await navigator.credentials.get({ publicKey });
  const { clientDataJSON, authenticatorData, signature, userHandle } = key.response;
  const response = {
    clientDataJSON: text(clientDataJSON),
    authenticatorData: text(authenticatorData),
    signature: text(signature),
    userHandle: userHandle ? text(userHandle) : null,
  };
  return ask("/signin/webauthn/finish", {
    signIn: name, nonce, credential: { id: key.id, response },
  });
}

button.addEventListener("click", async () => {
  button.disabled = true;
  told.textContent = "Touch your security key.";
  try {
    const { redirect } = await signIn();
    told.textContent = redirect ? "Signed in." : "Signed in. Go back to your device; this page may be closed.";
    if (redirect) location.assign(redirect);
  } catch (error) {
    told.textContent = error.message;
    button.disabled = false;
  }
});
