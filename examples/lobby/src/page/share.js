// An invite as people pass it on: a code to say, a link to send, a picture for a phone's camera.
import { generate } from "./qr.js";

const SVG = "http://www.w3.org/2000/svg";
/** ISO/IEC 18004 asks for a quiet zone of four modules. */
const QUIET = 4;

/** The text as a QR code, made here: no server learns of it. */
export function qrCode(text) {
  const code = generate(text);
  const path = document.createElementNS(SVG, "path");
  let d = "";
  for (let y = 0; y < code.size; y++) {
    for (let x = 0; x < code.size; x++) if (code.get(x, y)) d += `M${x} ${y}h1v1h-1z`;
  }
  path.setAttribute("d", d);
  const svg = document.createElementNS(SVG, "svg");
  const size = code.size + 2 * QUIET;
  svg.setAttribute("viewBox", `${-QUIET} ${-QUIET} ${size} ${size}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "The invite's link as a QR code");
  svg.setAttribute("shape-rendering", "crispEdges");
  svg.append(path);
  return svg;
}

/** Fills an element that has `.code`, `.link`, `.qr` and `.copy`. */
export function showInvite(element, { code, url }) {
  if (element.dataset.url === url) return;
  element.dataset.url = url;
  element.hidden = false;
  element.querySelector(".code").textContent = code;
  const link = element.querySelector(".link");
  // Where no page belongs to the invite, its code is passed on.
  element.querySelector(".qr").hidden = link.hidden = !/^https?:/.test(url);
  link.textContent = url.replace(/^https?:\/\//, "");
  link.href = url;
  element.querySelector(".qr").replaceChildren(qrCode(url));
  const old = element.querySelector(".copy");
  const button = old.cloneNode(true); // without what it copied before
  old.replaceWith(button);
  button.addEventListener("click", async () => {
    button.textContent = (await copy(url, link)) ? "Copied" : "Press Ctrl-C";
    setTimeout(() => {
      button.textContent = "Copy link";
    }, 2000);
  });
}

/** The clipboard is for secure pages only; elsewhere the link is selected at least. */
async function copy(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}
