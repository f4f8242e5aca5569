// One question: marks on and off without a new page, and the partners of a mark.
{
  const marks = document.getElementById("marks");
  if (marks) {
    marks.addEventListener("click", (event) => {
      event.preventDefault();
      document.querySelector("article.question").classList.toggle("unmarked");
      const { href, textContent } = marks;
      history.replaceState(null, "", href);
      [marks.href, marks.dataset.href] = [marks.dataset.href, href];
      [marks.textContent, marks.dataset.text] = [marks.dataset.text, textContent];
    });
    keys.m = () => marks.click();
    const light = (event) => {
      const stem = event.target.closest?.("mark[data-stem]")?.dataset.stem;
      for (const mark of document.querySelectorAll("mark[data-stem]")) mark.classList.toggle("lit", mark.dataset.stem === stem);
    };
    document.addEventListener("pointerover", light);
    document.addEventListener("focusin", light);
  }
  keys.ArrowLeft = () => document.querySelector("a[rel=prev]")?.click();
  keys.ArrowRight = () => document.querySelector("a[rel=next]")?.click();
}
