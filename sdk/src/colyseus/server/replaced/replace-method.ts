type AnyMethod = (...parameters: unknown[]) => unknown;

/**
 * Replaces a method of an object that is Colyseus', where that offers no hook.
 * @param make gets the original, bound to the object that it is called on, and that object
 * @returns puts it back
 */
export function replaceMethod(
  target: object,
  name: string,
  make: (original: AnyMethod, self: object) => AnyMethod,
): () => void {
  const methods = target as Record<string, AnyMethod>;
  const original = methods[name];
  if (!original) return () => {};
  const own = Object.hasOwn(methods, name);
  let active = true;
  const replacement = function (this: object, ...parameters: unknown[]): unknown {
    const bound = original.bind(this);
    return (active ? make(bound, this) : bound)(...parameters);
  };
  methods[name] = replacement;
  return () => {
    active = false;
    // Whoever came after us still calls us.
    if (methods[name] !== replacement) return;
    if (own) methods[name] = original;
    else delete methods[name];
  };
}
