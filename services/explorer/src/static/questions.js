// Questions: j and k walk the rows (Enter follows the link), a form without empty fields, a link to copy.
{
  const links = [...document.querySelectorAll(".questions th.question a")];
  const step = (by) => {
    const at = links.indexOf(document.activeElement);
    links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
  };
  if (links.length) Object.assign(keys, { j: () => step(1), k: () => step(-1) });

  // On a phone the rows come first.
  const filtering = document.querySelector("details.filtering");
  if (filtering && matchMedia("(max-width: 40rem)").matches) filtering.open = false;

  // An empty run means any of them; what else is empty says nothing.
  document.querySelector("form.filters")?.addEventListener("submit", (event) => {
    for (const field of event.target.elements) if (field.name && field.name !== "run" && !field.value) field.disabled = true;
  });
  addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form.filters :disabled")) field.disabled = false;
  });

  document.getElementById("copy")?.addEventListener("click", async (event) => {
    const link = event.currentTarget;
    event.preventDefault();
    try {
      await navigator.clipboard.writeText(link.href);
      link.textContent = link.dataset.copied;
    } catch {
      location.assign(link.href);
    }
  });
}
