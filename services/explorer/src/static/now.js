// Now: each second the page's content comes anew, as HTML; only what differs is changed, so that focus, selection and
// what is read out stay.
{
  const now = document.getElementById("now");
  const old = document.getElementById("now-old");

  const follow = (node, fresh) => {
    if (node.nodeType !== fresh.nodeType || node.nodeName !== fresh.nodeName) { node.replaceWith(fresh.cloneNode(true)); return; }
    if (node.nodeType === Node.TEXT_NODE) { if (node.data !== fresh.data) node.data = fresh.data; return; }
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    if (node !== now) {
      for (const { name } of [...node.attributes]) if (!fresh.hasAttribute(name)) node.removeAttribute(name);
      for (const { name, value } of fresh.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    }
    const [ours, theirs] = [[...node.childNodes], [...fresh.childNodes]];
    theirs.forEach((child, place) => { if (ours[place]) follow(ours[place], child); else node.append(child.cloneNode(true)); });
    ours.slice(theirs.length).forEach((child) => child.remove());
  };

  let source, timer, pause = 1, last = Date.now();
  const close = () => { clearTimeout(timer); source?.close(); source = undefined; };
  const open = () => {
    close();
    source = new EventSource(now.dataset.events);
    source.onmessage = ({ data }) => {
      const fresh = document.createElement("div");
      fresh.append(...new DOMParser().parseFromString(data, "text/html").body.childNodes);
      follow(now, fresh);
      [last, pause] = [Date.now(), 1];
      tell();
    };
    source.onerror = () => {
      close();
      timer = setTimeout(open, 1000 * pause * (0.5 + Math.random()));
      pause = Math.min(2 * pause, 30);
    };
  };
  const tell = () => {
    const age = Math.floor((Date.now() - last) / 1000);
    old.textContent = age > 5 ? old.dataset.text.replace("{}", age) : "";
    old.classList.toggle("shown", age > 5);
    now.classList.toggle("old", age > 5);
  };
  if (now) {
    open();
    setInterval(tell, 1000);
    document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
    addEventListener("pagehide", close);
    addEventListener("pageshow", ({ persisted }) => { if (persisted) open(); });
  }
}
