"use strict";
document.addEventListener("click", (event) => {
  if (event.target.closest("#print")) window.print();
});
