// A text at the pointer, or at the action that has the keyboard focus.
const hint = document.getElementById("hint");

function showHint(text, box) {
  hint.textContent = text;
  hint.hidden = false;
  const { width, height } = hint.getBoundingClientRect();
  const x = Math.min(Math.max(4, box.x), innerWidth - width - 4);
  const y = box.top - height - 8 < 4 ? box.bottom + 8 : box.top - height - 8;
  hint.style.transform = `translate(${x}px, ${y}px)`;
}

function hideHint() {
  hint.hidden = true;
}
