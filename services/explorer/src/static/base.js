"use strict";
// Pages work without this: it adds keys, a choice of light and dark, and copying.

const stored = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private windows refuse */ } };

const root = document.documentElement;
if (stored("theme")) root.dataset.theme = stored("theme");
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  store("theme", root.dataset.theme);
});

const dialog = document.getElementById("keys");
const off = document.getElementById("keys-off");
off.checked = stored("keys") === "off";
off.addEventListener("change", () => store("keys", off.checked ? "off" : "on"));
document.getElementById("help").addEventListener("click", () => dialog.showModal());

// What a page does on a key: keys[key] = () => …
const keys = {
  "/": () => document.querySelector("input[type=search]")?.focus(),
  "?": () => dialog.showModal(),
};
let after = "";
document.addEventListener("keydown", (event) => {
  const busy = event.target.closest("input, select, textarea, dialog[open]");
  if (busy || event.repeat || event.ctrlKey || event.altKey || event.metaKey || stored("keys") === "off") return;
  const go = after === "g" && document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
  after = event.key;
  if (go) { event.preventDefault(); go.click(); return; }
  if (Object.hasOwn(keys, event.key)) { event.preventDefault(); keys[event.key](); }
});
