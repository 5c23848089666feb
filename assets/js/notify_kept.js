/* Whether this browser tells of a run's end, for the check box when the page loads. */
() =>
  "Notification" in window &&
  Notification.permission === "granted" &&
  localStorage.getItem("medtune.notify") === "yes"
