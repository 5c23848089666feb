/* Keeps in the browser whether to tell of a run's end; asks the person's leave first. Asks no server. */
async (wanted) => {
  const possible = wanted && "Notification" in window;
  const granted = possible && (await Notification.requestPermission()) === "granted";
  localStorage.setItem("medtune.notify", granted ? "yes" : "");
  return granted;
}
