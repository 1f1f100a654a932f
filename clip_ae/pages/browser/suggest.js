// The list of matching texts below the search box, for the pointer and for the keyboard (arrows, Enter, Escape).
const suggestions = document.getElementById("suggestions");
// The option that the arrow keys have selected; the keyboard focus stays in the search box.
let activeOption = null;

const NEIGHBOURS = {
  ArrowDown: () => activeOption?.nextSibling ?? suggestions.firstChild,
  ArrowUp: () => activeOption?.previousSibling ?? suggestions.lastChild,
};

function toggleSuggestions(open) {
  suggestions.hidden = !open;
  searchText.setAttribute("aria-expanded", open);
  if (!open) activateOption(null);
}

function showSuggestions() {
  const matches = matchingTexts();
  activateOption(null);
  const options = matches.map(([text], k) => element("li", { id: `suggestions-${k}`, role: "option" }, text));
  suggestions.replaceChildren(...options);
  toggleSuggestions(matches.some((text) => text !== searchedText()));
}

function activateOption(option) {
  activeOption?.removeAttribute("aria-selected");
  activeOption = option;
  if (!option) return searchText.removeAttribute("aria-activedescendant");
  option.setAttribute("aria-selected", true);
  option.scrollIntoView({ block: "nearest" });
  searchText.setAttribute("aria-activedescendant", option.id);
}

function searchFor(text) {
  searchText.value = text;
  toggleSuggestions(false);
  applyFilters();
}

searchText?.addEventListener("input", () => {
  applyFilters();
  if (searchInput()) showSuggestions();
  else toggleSuggestions(false);
});
searchText?.addEventListener("click", showSuggestions);
searchText?.addEventListener("blur", () => toggleSuggestions(false));
searchText?.addEventListener("keydown", (event) => {
  const { key } = event;
  if (NEIGHBOURS[key] && suggestions.hidden) showSuggestions();
  else if (NEIGHBOURS[key]) activateOption(NEIGHBOURS[key]());
  else if (suggestions.hidden) return;
  else if (key === "Enter") searchFor(activeOption?.textContent ?? (searchedText() ?? matchingTexts()[0])[0]);
  else if (key === "Escape") toggleSuggestions(false);
  else return;
  // Escape would also close the player, and the browser would clear the search box.
  event.preventDefault();
  event.stopPropagation();
});
// Without this, the search box would lose the focus and close the list before the click.
suggestions?.addEventListener("mousedown", (event) => event.preventDefault());
suggestions?.addEventListener("click", ({ target }) => {
  if (target.matches("li")) searchFor(target.textContent);
});
