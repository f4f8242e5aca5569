// Label: one key stores and goes on; what is not stored stays, with the reason.
{
  const form = document.getElementById("case");
  for (const button of form?.querySelectorAll("[data-key]") ?? []) {
    keys[button.dataset.key] = () => { if (!button.disabled) button.click(); };
  }
  let busy = false;
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    const told = document.getElementById("not-stored");
    told.hidden = true;
    try {
      const body = new URLSearchParams(new FormData(form, event.submitter));
      const answer = await fetch(form.action, { method: "post", body });
      if (answer.ok) { location.assign(answer.url); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      throw new Error(page.getElementById("not-stored")?.textContent ?? answer.status);
    } catch (error) {
      told.querySelector("span").textContent = error.message;
      told.hidden = false;
      busy = false;
    }
  });
}
