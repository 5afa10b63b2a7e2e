// The taps of this phone: kept in IndexedDB first, sent afterwards. Used by the page and by the service worker alike.
"use strict";

const Queue = (() => {
  const AT_ONCE = 20; // taps in one request
  const KEPT = 2000; // delivered taps that are remembered, so that an old page does not send its tap again
  const AGAIN_MS = 600000; // a text without a one-time code may be tapped again after that
  const ONE_TIME = /(^|&)(picc_data|cmac|e|c|ctr|sig|enc|p|m)=/i;
  const LINK = /([A-Za-z0-9_-]{20,64})\/?(?:[?#].*)?$/;

  let opened = null;
  const open = () => {
    opened ??= new Promise((done, failed) => {
      const request = indexedDB.open("kanhu-taps", 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("about");
        const taps = request.result.createObjectStore("taps", { keyPath: "seq", autoIncrement: true });
        taps.createIndex("text", "text");
        taps.createIndex("state", "state");
      };
      request.onsuccess = () => {
        request.result.onclose = () => { opened = null; };
        request.result.onversionchange = () => { request.result.close(); opened = null; };
        done(request.result);
      };
      request.onerror = () => { opened = null; failed(request.error); };
    });
    return opened;
  };

  // Runs `work(store, about)` in one transaction; what it sets as `.value` is the answer once everything is on disk.
  const within = async (mode, work) => {
    const db = await open();
    return new Promise((done, failed) => {
      const change = db.transaction(["taps", "about"], mode, { durability: "strict" });
      const box = { value: undefined };
      change.oncomplete = () => done(box.value);
      change.onabort = change.onerror = () => failed(change.error);
      work(change.objectStore("taps"), change.objectStore("about"), box);
    });
  };

  const about = (key) => within("readonly", (_taps, facts, box) => {
    facts.get(key).onsuccess = (event) => { box.value = event.target.result; };
  });
  const tell = (key, value) => within("readwrite", (_taps, facts) => { facts.put(value, key); });
  const all = () => within("readonly", (taps, _facts, box) => {
    taps.getAll().onsuccess = (event) => { box.value = event.target.result; };
  });

  // The number this phone is known by: 1 .. 2^31 - 1, drawn once.
  const drawn = () => (crypto.getRandomValues(new Uint32Array(1))[0] & 0x7fffffff) || 1;

  const isSame = (tap, text, now) => tap.text === text && (ONE_TIME.test(text) || now - tap.time_ms < AGAIN_MS);

  // Keep one tap. The answer says whether it is a new one; holdMs: how long it waits for what the page still asks.
  const record = (text, now, holdMs) => within("readwrite", (taps, facts, box) => {
    taps.index("text").getAll(text).onsuccess = (found) => {
      const before = found.target.result.find((tap) => isSame(tap, text, now));
      if (before) { box.value = { tap: before, fresh: false }; return; }
      facts.get("phone").onsuccess = (phone) => {
        facts.get("link").onsuccess = (link) => {
          const id = phone.target.result || drawn();
          facts.put(id, "phone");
          const tap = { phone: id, text, time_ms: now, link: link.target.result || "", location: "", state: "waiting", hold_until: now + holdMs };
          taps.add(tap).onsuccess = (added) => { box.value = { tap: { ...tap, seq: added.target.result }, fresh: true }; };
        };
      };
    };
  });

  // Change every tap that has not gone out and that `which` takes.
  const mend = (which, change) => within("readwrite", (taps) => {
    taps.index("state").openCursor("waiting").onsuccess = (event) => {
      const cursor = event.target.result;
      if (!cursor) return;
      if (which(cursor.value)) cursor.update({ ...cursor.value, ...change(cursor.value) });
      cursor.continue();
    };
  });

  const forgetOld = () => within("readwrite", (taps) => {
    let kept = 0;
    taps.openCursor(null, "prev").onsuccess = (event) => {
      const cursor = event.target.result;
      if (!cursor) return;
      if (cursor.value.state !== "waiting" && ++kept > KEPT) cursor.delete();
      cursor.continue();
    };
  });

  const message = (phone, taps) => JSON.stringify({
    phone,
    sent_ms: Date.now(),
    taps: taps.map(({ seq, time_ms, text, link, location, lat, lon, accuracy_m }) => ({ seq, time_ms, text, link, location, lat, lon, accuracy_m })),
  });

  const DONE = ["delivered", "refused"];
  const settle = async (phone, answers) => {
    const told = new Map(answers.map((answer) => [answer.seq, answer]));
    const state = (tap) => (tap.phone === phone && told.has(tap.seq) ? told.get(tap.seq).state : "");
    // A link that is withdrawn or over is forgotten: the page asks again who is there.
    const link = await about("link");
    const stale = (tap) => tap.link && state(tap) && !told.get(tap.seq).known;
    if (link && (await all()).some((tap) => tap.state === "waiting" && tap.link === link && stale(tap))) await tell("link", "");
    await mend((tap) => state(tap) === "unplaced", () => ({ link: "" }));
    if (answers.some((answer) => answer.state === "conflict")) {
      // Another phone has drawn our number: a new one for all that has not gone out.
      const id = drawn();
      await tell("phone", id);
      await mend((tap) => tap.phone === phone && !DONE.includes(state(tap)), () => ({ phone: id }));
    }
    await mend((tap) => DONE.includes(state(tap)), (tap) => ({ state: state(tap), delivered_ms: Date.now() }));
    return answers.some((answer) => DONE.includes(answer.state) || answer.state === "conflict");
  };

  const sendSome = async () => {
    const ready = (await all()).filter((tap) => tap.state === "waiting" && tap.hold_until <= Date.now());
    if (!ready.length) return false;
    const phone = ready[0].phone;
    const some = ready.filter((tap) => tap.phone === phone).slice(0, AT_ONCE);
    const answer = await fetch("/t/taps", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: message(phone, some), credentials: "omit", cache: "no-store",
      signal: AbortSignal.timeout(60000),
    });
    if (!answer.ok) return false;
    return settle(phone, (await answer.json()).taps);
  };

  const sendAll = async () => {
    try {
      while (await sendSome()) { /* until nothing is ready, or the network is gone */ }
      await forgetOld();
    } catch (error) {
      console.info("taps stay on this phone:", String(error)); // no network: nothing is lost
    }
  };
  // One sender after another, pages and worker: two at once would send the same twice.
  const flush = () => (navigator.locks ? navigator.locks.request("kanhu-taps", sendAll) : sendAll());

  const left = async () => (await all()).some((tap) => tap.state === "waiting");

  // The code at the end of a personal link, or the code alone; "" when it is neither.
  const codeOf = (typed) => (LINK.exec(typed.trim()) || ["", ""])[1];

  return { about, tell, all, record, mend, flush, left, codeOf, message };
})();
