// Texts that fit what is typed, in a list under the box: by pointer, or by arrows, Enter and Escape.
const offered = document.getElementById("offered");
// The one that arrows have reached; the keyboard itself stays in the box.
let reached = null;

const NEIGHBOURS = {
  ArrowDown: () => reached?.nextSibling ?? offered.firstChild,
  ArrowUp: () => reached?.previousSibling ?? offered.lastChild,
};

function unfold(open) {
  offered.hidden = !open;
  wanted.setAttribute("aria-expanded", open);
  if (!open) reach(null);
}

function offer() {
  const like = textsLike();
  reach(null);
  offered.replaceChildren(...like.map(([text], k) => element("li", { id: `offered-${k}`, role: "option" }, text)));
  unfold(like.some((text) => text !== asked()));
}

function reach(option) {
  reached?.removeAttribute("aria-selected");
  reached = option;
  if (!option) return wanted.removeAttribute("aria-activedescendant");
  option.setAttribute("aria-selected", true);
  option.scrollIntoView({ block: "nearest" });
  wanted.setAttribute("aria-activedescendant", option.id);
}

function take(text) {
  wanted.value = text;
  unfold(false);
  choose();
}

wanted?.addEventListener("input", () => {
  choose();
  if (typed()) offer();
  else unfold(false);
});
wanted?.addEventListener("click", offer);
wanted?.addEventListener("blur", () => unfold(false));
wanted?.addEventListener("keydown", (event) => {
  const { key } = event;
  if (NEIGHBOURS[key] && offered.hidden) offer();
  else if (NEIGHBOURS[key]) reach(NEIGHBOURS[key]());
  else if (offered.hidden) return;
  else if (key === "Enter") take(reached?.textContent ?? (asked() ?? textsLike()[0])[0]);
  // Not the player's, nor the browser's, which would empty the box.
  else if (key === "Escape") unfold(false);
  else return;
  event.preventDefault();
  event.stopPropagation();
});
// The box keeps the keyboard, whose loss would fold the list before the click.
offered?.addEventListener("mousedown", (event) => event.preventDefault());
offered?.addEventListener("click", ({ target }) => {
  if (target.matches("li")) take(target.textContent);
});
