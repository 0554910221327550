// Arrow keys, space, Page Up and Down, Home, End, clicks on the right and left half; s hides the speaker's line. The URL's hash is the slide.
"use strict";
(() => {
  const slides = [...document.querySelectorAll(".slide")];
  let now = 0;
  const show = (n) => {
    now = Math.max(0, Math.min(slides.length - 1, n));
    slides.forEach((slide, i) => slide.classList.toggle("now", i === now));
    history.replaceState(null, "", "#" + (now + 1));
    scrollTo(0, 0);
  };
  const follow = () => show((parseInt(location.hash.slice(1), 10) || 1) - 1);
  const keys = { ArrowRight: 1, ArrowDown: 1, " ": 1, PageDown: 1, Enter: 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1, Backspace: -1,
                 Home: -slides.length, End: slides.length };

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "s") document.documentElement.classList.toggle("quiet");
    if (!(event.key in keys)) return;
    event.preventDefault();
    show(now + (event.key === " " && event.shiftKey ? -1 : keys[event.key]));
  });
  addEventListener("click", (event) => {
    if (!event.target.closest("a") && !String(getSelection())) show(now + (event.clientX < innerWidth / 2 ? -1 : 1));
  });
  addEventListener("hashchange", follow);
  document.documentElement.classList.add("talk");
  follow();
})();
