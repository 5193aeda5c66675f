// The server's side: what the page asks of it, with the token where it wants one.

let token = sessionStorage.getItem("t2sda-token") ?? "";

// TokenWanted is thrown where the server refuses the token, or the lack of one.
export class TokenWanted extends Error {}

export function setToken(text) {
  token = text;
  sessionStorage.setItem("t2sda-token", text);
}

export const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});

export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...headers(), ...options.headers } });
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Error("The server does not answer: has it ended, or is the image larger than it takes?");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({ detail: response.statusText }));
  if (response.status === 401) throw new TokenWanted(problem.detail);
  throw new Error(problem.detail);
}

// segment returns what the server makes of an image.
export async function segment(file, model, signal) {
  const response = await ask(`/v1/segment?confidence=true&model=${model}`, {
    method: "POST", body: file, signal, headers: { Accept: "application/json", "Content-Type": "application/octet-stream" },
  });
  const times = {};
  for (const part of (response.headers.get("Server-Timing") ?? "").split(", ")) {
    const [name, ms] = part.split(";dur=");
    times[name] = Number(ms);
  }
  const { width, height, runs, confidence } = await response.json();
  const labels = new Uint8Array(width * height);
  for (let i = 0, at = 0; i < runs.length; i += 2) labels.fill(runs[i], at, (at += runs[i + 1]));
  if (confidence) confidence.data = Uint8Array.from(atob(confidence.data), c => c.charCodeAt(0));
  return { width, height, labels, confidence, times, engine: "ONNX Runtime" };
}

// preview returns the image as the server reads it, for those that browsers do not.
export async function preview(file, signal) {
  const response = await ask("/v1/segment?opacity=0", {
    method: "POST", body: file, signal, headers: { Accept: "image/jpeg", "Content-Type": "application/octet-stream" },
  });
  return createImageBitmap(await response.blob());
}
