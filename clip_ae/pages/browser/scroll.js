// An element that is wider than its space gets the keyboard focus, so that arrow keys scroll it; others do not.
const resizeObserver = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const element of document.querySelectorAll(".scroll")) resizeObserver.observe(element);
