// Lets the tap page open without a network, and sends kept taps when the network is back. The server puts in version and files:
// with another version the browser fetches everything anew.
"use strict";

const VERSION = "__VERSION__";
const FILES = __FILES__;
const CACHE = `kanhu-tap-${VERSION}`;

importScripts(FILES.find((file) => file.includes("queue.js")));

self.addEventListener("install", (event) => {
  const fetched = FILES.map((file) => new Request(file, { cache: "reload", credentials: "omit" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fetched)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith("kanhu-tap-") && name !== CACHE);
  event.waitUntil(
    caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => self.clients.claim()),
  );
});

// From the phone first: at a door the network is slow or not there. The query is the tag's and never part of the key.
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  const key = event.request.mode === "navigate" && url.pathname === "/t" ? "/t" : url.pathname + url.search;
  if (!FILES.includes(key)) return;
  event.respondWith(caches.open(CACHE).then((cache) => cache.match(key)).then((kept) => kept || fetch(event.request)));
});

// Failing tells the browser to try again later.
const sync = async () => {
  await Queue.flush();
  if (await Queue.left()) throw new Error("taps stay on this phone");
};

self.addEventListener("sync", (event) => {
  if (event.tag === "taps") event.waitUntil(sync());
});
