/** A value of JSON, as a server writes it: of numbers in it nothing is lost. */
export class JsonText {
  constructor(readonly text: string) {}
}
