// The page behind a tag's address: keeps the tap on this phone at once, then asks what is still to be asked, then sends it.
"use strict";

const ASK_MS = 120000; // so long a tap waits for an answer of the person before it goes out without
const POSITION_MS = 15000;
const AGAIN_MS = 15000;
const TAG = /^[A-Za-z0-9_.%-]+=[A-Za-z0-9_.%=&+-]*$/;

const at = (id) => document.getElementById(id);
const show = (id, on) => { at(id).hidden = !on; };
let current = null; // seq of the tap that this page was opened for

const tapped = () => {
  const fields = location.search.slice(1).split("&").filter((field) => field && !field.startsWith("lang="));
  return fields.join("&");
};

const say = (state) => { at("state").dataset.state = state; };

const line = (tap) => {
  const row = at("row").content.firstElementChild.cloneNode(true);
  row.dataset.state = tap.state;
  row.dataset.location = tap.location;
  row.querySelector("time").textContent = new Date(tap.time_ms).toLocaleString(document.documentElement.lang, { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit" });
  return row;
};

const draw = async () => {
  const [taps, link, where] = [await Queue.all(), await Queue.about("link"), await Queue.about("where")];
  const waiting = taps.filter((tap) => tap.state === "waiting");
  const mine = taps.find((tap) => tap.seq === current);
  if (mine) say(mine.state === "waiting" ? "recorded" : mine.state);
  at("waiting").replaceChildren(...waiting.reverse().map(line));
  at("gone").replaceChildren(...taps.filter((tap) => tap.state !== "waiting").slice(-5).reverse().map(line));
  show("none", !waiting.length);
  show("lately", taps.length > waiting.length);
  show("who", !link && !at("who").dataset.left);
  show("where", Boolean(mine) && mine.state === "waiting" && !where);
  show("where-change", Boolean(where));
  show("record", Boolean(link));
  show("forget", Boolean(link));
  if (link) at("record-link").href = `/me/${encodeURIComponent(link)}`;
};

const send = async () => {
  await Queue.flush();
  await draw();
  if ((await Queue.left()) && navigator.serviceWorker?.controller) {
    const worker = await navigator.serviceWorker.ready;
    await worker.sync?.register("taps").catch(() => undefined); // the browser sends it when the page is closed; where it cannot, the page does
  }
};

// A position once, for the tap of this page only; without one the tap is just as good.
const position = () => new Promise((done) => {
  if (!navigator.geolocation) { done({ location: "failed" }); return; }
  const found = (where) => {
    const { latitude, longitude, accuracy } = where.coords;
    done({ location: where.mocked || where.coords.mocked ? "mocked" : "given", lat: latitude, lon: longitude, accuracy_m: accuracy });
  };
  const failed = (error) => done({ location: error.code === error.PERMISSION_DENIED ? "refused" : "failed" });
  navigator.geolocation.getCurrentPosition(found, failed, { timeout: POSITION_MS, maximumAge: 0, enableHighAccuracy: true });
});

const isCurrent = (tap) => tap.seq === current;

const locate = async (where) => {
  const tap = (await Queue.all()).find(isCurrent);
  if (!tap || tap.state !== "waiting" || tap.location) return;
  const found = where === "yes" ? await position() : { location: "refused" };
  await Queue.mend(isCurrent, () => found);
};

const release = () => Queue.mend(isCurrent, () => ({ hold_until: 0 }));

// What is known by now; the tap goes out when nothing is left to ask.
const ask = async () => {
  const where = await Queue.about("where");
  if (where) await locate(where);
  const answered = where && ((await Queue.about("link")) || at("who").dataset.left);
  if (answered) await release();
  await draw();
  await send();
};

const remember = async (code) => {
  await Queue.tell("link", code);
  await Queue.mend((tap) => !tap.link, () => ({ link: code }));
  await ask();
};

const listen = () => {
  at("who").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = Queue.codeOf(at("code").value);
    show("code-bad", !code);
    if (code) remember(code);
  });
  at("not-now").addEventListener("click", () => { at("who").dataset.left = "yes"; ask(); });
  at("where-yes").addEventListener("click", () => Queue.tell("where", "yes").then(ask));
  at("where-no").addEventListener("click", () => Queue.tell("where", "no").then(ask));
  at("where-change").addEventListener("click", () => Queue.tell("where", "").then(() => show("where", true)));
  at("forget").addEventListener("click", () => Queue.tell("link", "").then(draw));
  at("language").addEventListener("click", () => speak(document.documentElement.lang === "en" ? "zh-CN" : "en"));
  window.addEventListener("online", send);
  // Who puts the phone away answers nothing more.
  document.addEventListener("visibilitychange", () => (document.hidden ? release().then(send) : send()));
  setInterval(send, AGAIN_MS);
};

const speak = (language) => {
  document.documentElement.lang = language;
  Queue.tell("language", language).then(draw);
};

const worker = async () => {
  if (!navigator.serviceWorker) return show("offline-no", true);
  try {
    await navigator.serviceWorker.register("/t/sw.js", { scope: "/t" });
    await navigator.serviceWorker.ready;
    return show("offline-yes", true);
  } catch (error) {
    return show("offline-no", !navigator.serviceWorker.controller);
  }
};

const keep = async (text) => {
  const { tap, fresh } = await Queue.record(text, Date.now(), ASK_MS);
  current = tap.seq;
  history.replaceState(null, "", "/t"); // what is kept need not be in the address: nobody passes it on, reloading records nothing
  say(tap.state === "waiting" ? "recorded" : tap.state);
  show("already", !fresh);
  navigator.storage?.persist?.().catch(() => undefined);
  return fresh;
};

// A browser that cannot keep anything: send it at once, and say honestly what came of it.
const sendUnkept = async (text) => {
  const phone = crypto.getRandomValues(new Uint32Array(1))[0] & 0x7fffffff || 1;
  const tap = { seq: 1, time_ms: Date.now(), text, link: "", location: "" };
  const answer = await fetch("/t/taps", { method: "POST", headers: { "Content-Type": "application/json" }, body: Queue.message(phone, [tap]) });
  say(answer.ok ? (await answer.json()).taps[0].state : "not_kept");
};

const start = async () => {
  const text = tapped();
  listen();
  if (text && !(TAG.test(text) && text.length <= 512)) say("odd");
  else if (text) {
    try {
      await keep(text);
    } catch (error) {
      console.warn("cannot keep the tap:", String(error));
      await sendUnkept(text).catch(() => say("not_kept"));
      return;
    }
  }
  worker();
  const language = await Queue.about("language");
  document.documentElement.lang = language || (/^en/i.test(navigator.language) ? "en" : "zh-CN");
  await draw();
  await ask();
};

start();
