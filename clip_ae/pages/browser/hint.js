// Words beside the pointer, or beside what the keyboard has reached.
const hint = document.getElementById("hint");

function tell(words, box) {
  hint.textContent = words;
  hint.hidden = false;
  const { width, height } = hint.getBoundingClientRect();
  const x = Math.min(Math.max(4, box.x), innerWidth - width - 4);
  const y = box.top - height - 8 < 4 ? box.bottom + 8 : box.top - height - 8;
  hint.style.transform = `translate(${x}px, ${y}px)`;
}

function hush() {
  hint.hidden = true;
}
