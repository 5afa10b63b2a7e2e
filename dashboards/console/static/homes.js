"use strict";
// A page of the homes draws what is live in it anew, but never under a finger: who taps must hit what he sees.
(() => {
  const EVERY_MS = 10000;
  const QUIET_MS = 4000; // nobody touched, scrolled or typed for so long
  const SETTLE_MS = 500; // after new content taps are ignored for a moment
  const PATIENCE = 2; // looks that fail before the page says that it is old
  let touched = 0;
  let failed = 0;

  for (const name of ["pointerdown", "keydown", "scroll", "input"]) {
    addEventListener(name, () => { touched = Date.now(); }, { capture: true, passive: true });
  }

  function busy() {
    const at = document.activeElement;
    return Date.now() - touched < QUIET_MS || (at && ["INPUT", "SELECT", "TEXTAREA"].includes(at.tagName));
  }

  function lost(is) {
    const word = document.getElementById("lost");
    if (word) word.hidden = !is;
  }

  function keep(old, fresh) {
    for (const part of fresh.querySelectorAll("details[id]")) {
      const before = old.querySelector(`details[id="${CSS.escape(part.id)}"]`);
      if (before) part.open = before.open;
    }
    for (const part of fresh.querySelectorAll("[data-keep]")) {
      const before = old.querySelector(`[data-keep][id="${CSS.escape(part.id)}"]`);
      if (before) part.replaceWith(before);
    }
  }

  function same(old, fresh) {
    // The clock of the page is no news.
    const words = (part) => { const copy = part.cloneNode(true); copy.querySelectorAll(".asof").forEach((e) => e.remove()); return copy.innerHTML; };
    return words(old) === words(fresh);
  }

  function unchanged(clock) {
    failed = 0;
    lost(false);
    const told = document.getElementById("as-of");
    if (told && clock) told.textContent = told.textContent.replace(/\d\d:\d\d:\d\d/, clock);
  }

  async function look() {
    if (document.hidden) return;
    let page;
    try {
      const shown = document.getElementById("live")?.dataset.shown || "1";
      const answer = await fetch(location.href, { headers: { "x-look": shown }, redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect") { location.reload(); return; }
      if (answer.status === 204) { unchanged(answer.headers.get("x-as-of")); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
      failed += 1;
      lost(failed >= PATIENCE);
      return;
    }
    failed = 0;
    lost(false);
    const old = document.getElementById("live");
    const fresh = page.getElementById("live");
    if (!old || !fresh) return;
    if (busy()) { setTimeout(look, QUIET_MS); return; }
    document.title = page.title;
    keep(old, fresh);
    const moved = !same(old, fresh);
    old.replaceWith(fresh);
    if (moved) {
      document.body.classList.add("settling");
      setTimeout(() => document.body.classList.remove("settling"), SETTLE_MS);
    }
  }

  const told = document.getElementById("did");
  if (told) {
    // A word of what was done must not come again with the next look at this address.
    const here = new URL(location.href);
    here.searchParams.delete("did");
    here.searchParams.delete("at");
    history.replaceState(null, "", here);
  }
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
})();
