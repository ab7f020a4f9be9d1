// Loaded into the core by `--import`: from one SIGUSR2 to the next it computes in all the time that there is, as work without
// a limit would that lets others have their turn.
let isBurning = false;

function burn() {
  const end = performance.now() + 10;
  while (performance.now() < end);
  if (isBurning) setImmediate(burn);
}

process.on('SIGUSR2', () => {
  isBurning = !isBurning;
  if (isBurning) burn();
});
