// The answers there are: what is sent for each, and its words. A name is also the data-choice of its button.

const ANSWERS = {
  left: { choice: "left", strength: 1, words: "left is better" },
  "much-left": { choice: "left", strength: 2, words: "left is much better" },
  right: { choice: "right", strength: 1, words: "right is better" },
  "much-right": { choice: "right", strength: 2, words: "right is much better" },
  equal: { choice: "equal", words: "as good as each other" },
  "both-bad": { choice: "equal", both_bad: true, words: "both were bad" },
  skip: { choice: "skip", words: "could not tell" },
};
const MUCH = { left: "much-left", right: "much-right" };

// The name of an answer as it was sent or came back from the server.
function answerName({ choice, strength, both_bad: bothBad }) {
  if (bothBad) return "both-bad";
  return strength === 2 ? MUCH[choice] : choice;
}

// The clip of the query that an answer preferred, 0 or 1; null for none. Sides are stored as they were seen.
function preferredClip({ choice, is_swapped: isSwapped }) {
  if (choice !== "left" && choice !== "right") return null;
  return (choice === "right") !== Boolean(isSwapped) ? 1 : 0;
}
