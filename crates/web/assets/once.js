// A form is sent once: the second half of a double click would cancel the first answer.
(function () {
  'use strict';
  var sent = 0, last = null;
  document.addEventListener('submit', function (event) {
    var now = Date.now();
    // After a while a click counts again: the first may have been lost on the way.
    if (last === event.target && now - sent < 5000) { event.preventDefault(); return; }
    last = event.target;
    sent = now;
  });
  // Back on the page, all is as new.
  window.addEventListener('pageshow', function () { last = null; });
})();
