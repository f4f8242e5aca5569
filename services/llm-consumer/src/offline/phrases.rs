//! What the simulated model says, in the language of the reference.

/// Openings of an answer in other words.
pub const OPENINGS: Pair = Pair {
    english: &[
        "In short: ",
        "Basically, ",
        "As far as I know, ",
        "Good question. ",
        "Well, ",
    ],
    spanish: &[
        "En pocas palabras: ",
        "Básicamente, ",
        "Hasta donde sé, ",
        "Buena pregunta. ",
        "Bueno, ",
    ],
};

/// What makes a sentence of an answer that is a name, a number or a few words; `{}` is the answer.
pub const SENTENCES: Pair = Pair {
    english: &[
        "It is {}.",
        "The answer is {}.",
        "That would be {}.",
        "{}, as far as I know.",
    ],
    spanish: &["Es {}.", "La respuesta es {}.", "Sería {}.", "{}, hasta donde sé."],
};

/// Answers of somebody who remembers two words of the right one, which stand for `{}`.
pub const GUESSES: Pair = Pair {
    english: &[
        "It has something to do with {} and {}, but opinions differ a lot.",
        "I once read about {} and {} in this connection; the details vary from one case to the next.",
        "Much depends on {} and perhaps on {}. There is more to it, but I do not remember the rest.",
        "Somebody told me about {} and {}. For the remaining part you had better ask an expert.",
    ],
    spanish: &[
        "Tiene algo que ver con {} y {}, pero hay opiniones muy distintas.",
        "Una vez leí sobre {} y {} a este respecto; los detalles cambian de un caso a otro.",
        "Mucho depende de {} y quizá de {}. Hay algo más, pero no recuerdo el resto.",
        "Alguien me habló de {} y {}. Para lo demás es mejor preguntar a un experto.",
    ],
};

/// Refusals.
pub const REFUSALS: Pair = Pair {
    english: &[
        "I'm sorry, but I can't help with that.",
        "As a language model I don't have enough information to answer this.",
        "I don't know the answer to that question.",
        "Unfortunately I am not able to answer this. Please consult a professional.",
    ],
    spanish: &[
        "Lo siento, pero no puedo ayudar con eso.",
        "Como modelo de lenguaje no tengo suficiente información para responder.",
        "No sé la respuesta a esa pregunta.",
        "Lamentablemente no puedo responder. Consulte a un profesional.",
    ],
};

/// Answers to other questions.
pub const OFF_TOPIC: Pair = Pair {
    english: &[
        "Bread rises because yeast feeds on sugar and gives off gas, which the dough traps in small bubbles.",
        "A suitcase with four wheels rolls easily on smooth floors, but two larger wheels cope better with cobblestones.",
        "Owls turn their heads so far because their eyes are fixed in the skull and cannot look sideways.",
        "Tomatoes ripen faster in a paper bag with a banana, since the fruit gives off ethylene.",
        "Most guitars have six strings, tuned from the lowest to the highest as E, A, D, G, B and E.",
        "Salt melts ice on a road by lowering the temperature at which water freezes.",
        "Lighthouses used a lens of many rings, which gathers the light of a lamp into one strong beam.",
        "To descale a kettle, boil vinegar with the same amount of water, wait an hour and rinse twice.",
    ],
    spanish: &[
        "El pan sube porque la levadura se alimenta de azúcar y suelta un gas que queda atrapado en la masa.",
        "Los búhos giran tanto la cabeza porque tienen los ojos fijos en el cráneo.",
        "Los tomates maduran antes en una bolsa de papel junto a un plátano.",
        "Casi todas las guitarras tienen seis cuerdas, afinadas de la más grave a la más aguda.",
        "Para quitar la cal de un hervidor, hierva vinagre con agua, espere una hora y enjuague.",
    ],
};

/// How a statement is denied that has no verb known here.
pub const DENIALS: Pair = Pair {
    english: &["It is not true that"],
    spanish: &["No es verdad que"],
};

/// Words that may stand for one another; the simulated model replaces the first by the second.
#[rustfmt::skip]
pub const SYNONYMS: &[(&str, &str)] = &[
    ("also", "besides"), ("although", "though"), ("always", "invariably"), ("because", "since"), ("begin", "start"),
    ("big", "large"), ("buy", "purchase"), ("common", "usual"), ("difficult", "hard"), ("easy", "simple"),
    ("especially", "particularly"), ("fast", "quickly"), ("finally", "eventually"), ("get", "obtain"), ("help", "aid"),
    ("however", "though"), ("kind", "sort"), ("large", "big"), ("many", "numerous"), ("mostly", "mainly"),
    ("need", "require"), ("often", "frequently"), ("particularly", "especially"), ("people", "folks"),
    ("probably", "likely"), ("quite", "rather"), ("rarely", "seldom"), ("really", "truly"), ("show", "reveal"),
    ("simple", "easy"), ("small", "little"), ("start", "begin"), ("usually", "normally"), ("very", "extremely"),
    ("además", "también"), ("comenzar", "empezar"), ("difícil", "complicado"), ("fácil", "sencillo"),
    ("grande", "enorme"), ("normalmente", "habitualmente"), ("quizá", "tal vez"), ("siempre", "invariablemente"),
];

/// Phrases of one kind, by language.
pub struct Pair {
    /// English ones.
    pub english: &'static [&'static str],
    /// Spanish ones.
    pub spanish: &'static [&'static str],
}

impl Pair {
    /// The phrases in the language of a text: Spanish where it has more of the commonest Spanish words.
    pub fn like(&self, text: &str) -> &'static [&'static str] {
        let mut balance = 0;
        for word in text.split_whitespace() {
            match word {
                "de" | "la" | "el" | "que" | "los" | "las" | "en" | "y" | "es" | "un" | "una" | "por" | "con" => {
                    balance += 1;
                }
                "the" | "of" | "and" | "to" | "is" | "in" | "it" | "that" | "for" | "with" | "you" => balance -= 1,
                _ => {}
            }
        }
        if balance > 0 { self.spanish } else { self.english }
    }
}
