/** @throws RangeError for a limit that is no number above 0 */
export function checkLimits(limits: object): void {
  for (const [name, value] of Object.entries(limits) as [string, number | undefined][]) {
    if (value !== undefined && !(typeof value === "number" && value >= 1)) {
      throw new RangeError(`limits.${name} must be 1 or more, not ${value}`);
    }
  }
}
