// "This is my phone": keeps the personal link on this phone, so that its taps at tags are known to be the courier's.
"use strict";

(async () => {
  const at = (id) => document.getElementById(id);
  const code = Queue.codeOf(location.pathname);
  const kept = async () => {
    const mine = (await Queue.about("link")) === code;
    at("my-phone").hidden = mine;
    at("my-phone-done").hidden = !mine;
  };
  at("phone").hidden = false;
  at("my-phone").addEventListener("click", () => Queue.tell("link", code).then(kept).catch(() => { at("my-phone-failed").hidden = false; }));
  await kept().catch(() => { at("my-phone-failed").hidden = false; });
})();
