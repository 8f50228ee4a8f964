// The installed desk: its scripts and styles from this device, the last pages seen when there is no network.
"use strict";
const FILES = "yeji-files-1";
const PAGES = "yeji-pages-1";
const KEPT = 30;
const OFFLINE = "/offline";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(FILES).then((cache) => cache.add(new Request(OFFLINE, { cache: "reload" }))).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => {
  const ours = new Set([FILES, PAGES]);
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((name) => !ours.has(name)).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

async function file(request) {
  const cache = await caches.open(FILES);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(request, answer.clone());
    return answer;
  } catch (error) {
    const known = await cache.match(request);
    if (known) return known;
    throw error;
  }
}

async function page(request) {
  const cache = await caches.open(PAGES);
  try {
    const answer = await fetch(request);
    const path = new URL(answer.url).pathname;
    // Whoever signs out, or is signed out, leaves no page on the device.
    if (path.startsWith("/sign-in") || path.startsWith("/welcome")) await caches.delete(PAGES);
    else if (answer.ok && (path === "/" || path.startsWith("/alarms/") || path.startsWith("/machines/"))) {
      await cache.put(request, answer.clone());
      const known = await cache.keys();
      for (const old of known.slice(0, Math.max(0, known.length - KEPT))) await cache.delete(old);
    }
    return answer;
  } catch {
    return (await cache.match(request, { ignoreVary: true })) || (await caches.match(OFFLINE)) || Response.error();
  }
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (request.method === "POST" && url.pathname === "/sign-out") event.waitUntil(caches.delete(PAGES));
  if (request.method !== "GET") return;
  if (url.pathname.startsWith("/static/")) event.respondWith(file(request));
  else if (request.mode === "navigate") event.respondWith(page(request));
});

self.addEventListener("push", (event) => {
  const told = event.data ? event.data.json() : {};
  event.waitUntil(self.registration.showNotification(told.title || "Yeji", {
    body: told.body || "", tag: told.tag || "yeji", data: { url: told.url || "/" }, icon: "/static/desk/icon-192.png",
    requireInteraction: told.priority === "urgent", renotify: Boolean(told.tag),
  }));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = event.notification.data?.url || "/";
  event.waitUntil(self.clients.matchAll({ type: "window" }).then((open) => {
    const one = open.find((client) => new URL(client.url).pathname === url);
    return one ? one.focus() : self.clients.openWindow(url);
  }));
});
