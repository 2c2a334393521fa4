/** Loaded into a program before all else: see signals.ts. */
process.on("message", (name: NodeJS.Signals) => process.emit(name, name));
process.channel?.unref();
