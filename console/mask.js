// What of a card number is shown while numbers are hidden: the first six and the last four digits, as PCI DSS 3.4.1
// allows on a screen.

/** `6222 02•• ••••` for `6222 0200 …`: digits from the seventh on are hidden but for the last four; gaps stay. */
export function maskNumber(text) {
  const digits = text.replace(/\D/g, "").length;
  let seen = 0;
  return text.replace(/\d/g, (digit) => {
    seen += 1;
    return seen <= 6 || seen > digits - 4 ? digit : "•";
  });
}

/** The service's answer with its numbers hidden wherever they are in it. */
export function maskAnswer(answer) {
  const cards = answer.data?.content;
  if (!Array.isArray(cards)) return answer;
  const maskField = (field) => {
    if (field.kind !== "number") return field;
    const masked = maskNumber(field.chars.map((char) => char.char).join(""));
    const chars = field.chars.map((char, index) => ({ ...char, char: masked[index] }));
    return { ...field, text: maskNumber(field.text), chars };
  };
  const content = cards.map((card) => ({
    ...card,
    number: maskNumber(card.number),
    ...(card.number_grouped === undefined ? {} : { number_grouped: maskNumber(card.number_grouped) }),
    ...(card.fields === undefined ? {} : { fields: card.fields.map(maskField) }),
  }));
  return { ...answer, data: { ...answer.data, content } };
}
