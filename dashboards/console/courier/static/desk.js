// Asks once a second whether two taps have opened a record, shows it, and takes it away: also when the server is gone.
"use strict";

(() => {
  const desk = document.getElementById("desk");
  const how = document.getElementById("how");
  const shown = document.getElementById("shown");
  const address = `/desk/now?reader=${encodeURIComponent(desk.dataset.reader)}&lang=${encodeURIComponent(document.documentElement.lang)}`;
  let until = 0; // by performance.now(): the clock of this screen may be wrong

  const clear = () => {
    shown.replaceChildren();
    how.hidden = false;
    until = 0;
  };

  const put = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    shown.replaceChildren(...page.body.childNodes);
  };

  const ask = async () => {
    try {
      const answer = await fetch(address, { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(5000) });
      if (answer.status === 200) {
        put(await answer.text());
        how.hidden = true;
        until = performance.now() + Math.min(30000, Number(answer.headers.get("X-Left-Ms")));
      } else {
        clear();
        if (answer.status === 503) put(await answer.text());
        if (answer.type === "opaqueredirect" || answer.status === 403) location.reload(); // logged out: that page says so
      }
    } catch (error) {
      if (until && performance.now() > until) clear();
    }
    setTimeout(ask, 1000);
  };

  setInterval(() => { if (until && performance.now() > until) clear(); }, 250);
  if (desk.dataset.reader) ask();
})();
