/**
 * A value from a file, fit for a message: whatever follows `scheme://` is cut off, for a password may hold any character
 * and where it ends cannot be known.
 */
export function hideCredentials(text: string): string {
  return text.replace(/([A-Za-z][A-Za-z0-9+.-]*:\/\/).*/gs, '$1***');
}

/** The last net, for whole messages: cuts out what stands between `scheme://` and `@` in one word. */
export function hideUserInfo(message: string): string {
  return message.replace(/([A-Za-z][A-Za-z0-9+.-]*:\/\/)\S*@/g, '$1***@');
}
