// What tests/web asks of a page: check(WHAT) returns a line for each thing that is wrong, nothing if all is well. It runs in the
// browser, after the page; sizes are those of the window as it is now.
const wrong = [];
const slides = [...document.querySelectorAll(".slide")];
const words = (e) => e.tagName + " \u201c" + e.textContent.trim().replace(/\s+/g, " ").slice(0, 40) + "\u201d";
const outside = (r, box) => r.left < box.left - 1.5 || r.right > box.right + 1.5 || r.top < box.top - 1.5 || r.bottom > box.bottom + 1.5;

// Every part within its slide; what is in the body within the body, or it would lie on the headline.
const fits = (slide) => {
  const box = slide.getBoundingClientRect(), body = slide.querySelector(".body");

  if (box.width > innerWidth + 1 || box.height > innerHeight + 1) wrong.push("it is larger than the window");
  if (slide.scrollWidth > slide.clientWidth || slide.scrollHeight > slide.clientHeight) wrong.push("it scrolls");
  for (const e of slide.querySelectorAll("*")) {
    const r = e.getBoundingClientRect();
    if (outside(r, box)) wrong.push(words(e) + " lies outside it");
    else if (body.contains(e) && outside(r, body.getBoundingClientRect())) wrong.push(words(e) + " lies outside the body");
    if (e instanceof HTMLElement && e.clientWidth &&
        (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1))
      wrong.push(words(e) + " is clipped");
  }
};

// Words of a picture: within it, within the box that they stand in, not upon each other.
const drawn = (svg) => {
  const all = [...svg.querySelectorAll("text")].filter((e) => e.textContent.trim()), boxes = [...svg.querySelectorAll("rect")];
  const rects = all.map((e) => e.getBoundingClientRect()), frame = svg.getBoundingClientRect();

  if (!frame.width || !frame.height) wrong.push("a picture of no size");
  all.forEach((e, i) => {
    const r = rects[i], x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2;
    const around = boxes.map((b) => b.getBoundingClientRect()).filter((b) => x > b.left && x < b.right && y > b.top && y < b.bottom)
      .sort((a, b) => a.width * a.height - b.width * b.height)[0];

    if (outside(r, frame)) wrong.push(words(e) + " leaves its picture");
    if (around && (r.left < around.left || r.right > around.right)) wrong.push(words(e) + " leaves its box");
    for (let k = 0; k < i; k++) {
      const o = rects[k], across = Math.min(r.right, o.right) - Math.max(r.left, o.left);
      const down = Math.min(r.bottom, o.bottom) - Math.max(r.top, o.top);

      if (across > 1 && down > r.height / 2) wrong.push(words(e) + " lies upon " + words(all[k]));
    }
  });
};

// No smaller than 1/90 of the window's width: 14 pixels of 1280.
const legible = (slide) => {
  const walk = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);

  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, scale = e instanceof SVGElement ? e.getScreenCTM().a : 1;
    if (walk.currentNode.data.trim() && parseFloat(getComputedStyle(e).fontSize) * scale < innerWidth / 90)
      wrong.push(words(e) + " is small");
  }
};

const checks = {
  slide: () => {
    const now = slides.filter((s) => getComputedStyle(s).display !== "none");
    if (now.length !== 1) return wrong.push(now.length + " slides are shown");
    if (location.hash !== "#" + now[0].id) wrong.push("the address ends in " + location.hash);
    fits(now[0]);
    now[0].querySelectorAll("svg").forEach(drawn);
    legible(now[0]);
  },
  words: () => slides.forEach((s) => {
    if (!s.querySelector("h2")?.textContent.trim()) wrong.push("slide " + s.id + " has no headline");
    if (!s.querySelector("aside p")?.textContent.trim()) wrong.push("slide " + s.id + " has no speaker's line");
  }),
  whole: () => { if (/makes it/.test(document.body.textContent)) wrong.push("a transcript is not there"); },
  pictures: () => [...document.images].filter((e) => !e.complete || !e.naturalWidth)
    .forEach((e) => wrong.push("a picture has not loaded: " + e.alt.slice(0, 60))),
  alone: () => {
    for (const e of document.querySelectorAll("[src], link, use, image, iframe, object"))
      if (/^(https?:)?\/\//.test(e.getAttribute("src") || e.getAttribute("href") || e.getAttribute("data") || ""))
        wrong.push(e.tagName + " asks the network");
    for (const e of document.querySelectorAll("style")) if (/url\(|@import/.test(e.textContent)) wrong.push("a style asks for a file");
    for (const e of performance.getEntriesByType("resource")) if (!/^data:/.test(e.name)) wrong.push("asks for " + e.name);
  },
  markup: () => {
    if (window.hacked) wrong.push("a script of the title, the results or a transcript ran");
    for (const e of document.querySelectorAll("u, img")) wrong.push(words(e) + " is markup");
    for (const what of ["T<u>itle", "A<u>uthor", "C<u>pu"])
      if (!slides[0].textContent.includes(what)) wrong.push(what + " is not told as it was given");
    if (!slides[3].textContent.includes("R<u>un")) wrong.push("the transcript is not told as it was");
  },
};
checks[arguments[0]]();
return [...new Set(wrong)].slice(0, 5).join("; ");
