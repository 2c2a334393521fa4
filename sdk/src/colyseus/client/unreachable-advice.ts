/**
 * What a person can look at where a host does not answer; begins with a space, or is empty.
 * @param reason the system's code, or `no answer`
 */
export function unreachableAdvice(reason: string = ""): string {
  switch (reason) {
    case "ECONNREFUSED":
      return " Is the game running there, and is this its port?";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return " Is the name spelt right, and is this computer online?";
    case "EHOSTUNREACH":
    case "ETIMEDOUT":
    case "no answer":
      return " Is the address right, and does the host's router or firewall let this port in?";
    default:
      return "";
  }
}
