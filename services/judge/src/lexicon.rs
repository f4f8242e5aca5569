//! The few words that the judge knows by themselves, in English and Spanish.
//!
//! All are written as [`crate::text`] folds them: lower case, without accents and apostrophes.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// What is known of one word.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entry {
    /// Carries grammar rather than content.
    pub function: bool,
    /// Is a function word of English.
    pub english: bool,
    /// Is a function word of Spanish.
    pub spanish: bool,
    /// Turns what follows into its opposite.
    pub negates: bool,
    /// Opens a new clause.
    pub divides: bool,
    /// Says yes.
    pub yes: bool,
    /// Says no, where it opens an answer.
    pub no: bool,
    /// What one says that one cannot do when one does not answer: know, find, say.
    pub knows: bool,
    /// Says by itself that there is no answer.
    pub ignorant: bool,
    /// Says that something is not certain.
    pub hedges: bool,
    /// Asks for a number.
    pub counts: bool,
    /// Asks for an explanation or for advice.
    pub explains: bool,
    /// Says who speaks: a refusal comes from them.
    pub first_person: bool,
    /// The form under which it is compared, if it is another.
    pub canonical: Option<&'static str>,
    /// Its value, if it is a number word.
    pub number: Option<NumberWord>,
}

/// A word of a number that is written out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NumberWord {
    /// Below a hundred: seven, twenty.
    Value(u64),
    /// Multiplies what stands before it: hundred, million.
    Scale(u64),
}

/// What is known of a folded word; of most, nothing.
pub fn lookup(word: &str) -> Entry {
    LEXICON.get(word).copied().unwrap_or_default()
}

/// Every word that has an opposite, with its opposites.
pub fn all_opposites() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    OPPOSITES.iter().map(|(word, opposites)| (*word, opposites.as_slice()))
}

static LEXICON: LazyLock<FxHashMap<&'static str, Entry>> = LazyLock::new(|| {
    let mut lexicon = FxHashMap::<&str, Entry>::default();
    let mut mark = |words: &'static str, set: fn(&mut Entry)| {
        words
            .split_whitespace()
            .for_each(|word| set(lexicon.entry(word).or_default()));
    };
    mark(ENGLISH, |entry| (entry.function, entry.english) = (true, true));
    mark(SPANISH, |entry| (entry.function, entry.spanish) = (true, true));
    mark(NEGATIONS, |entry| (entry.function, entry.negates) = (true, true));
    mark("but however although though whereas pero aunque sino", |entry| {
        entry.divides = true
    });
    mark(
        "yes yeah yep correct true indeed si cierto correcto verdadero",
        |entry| entry.yes = true,
    );
    mark("no nope not false incorrect never falso incorrecto nunca", |entry| {
        entry.no = true
    });
    mark(KNOWING, |entry| entry.knows = true);
    mark(IGNORANT, |entry| entry.ignorant = true);
    mark(HEDGES, |entry| entry.hedges = true);
    mark(
        "many much when year number percentage old long far tall cuantos cuantas cuanto cuanta cuando ano",
        |entry| {
            entry.counts = true;
        },
    );
    mark(EXPLAINING, |entry| entry.explains = true);
    mark("i we yo", |entry| entry.first_person = true);
    for line in CANONICAL.lines() {
        let mut words = line.split_whitespace();
        let canonical = words.next();
        words.for_each(|word| lexicon.entry(word).or_default().canonical = canonical);
    }
    for (first, words) in [(0, UNITS), (0, ORDINALS), (0, UNITS_ES), (0, ORDINALS_ES)] {
        for (value, word) in (first..).zip(words.split_whitespace()) {
            lexicon.entry(word).or_default().number = Some(NumberWord::Value(value));
        }
    }
    for words in [TENS, TENTHS, TENS_ES] {
        for (ten, word) in (2..).zip(words.split_whitespace()) {
            lexicon.entry(word).or_default().number = Some(NumberWord::Value(10 * ten));
        }
    }
    for (word, scale) in SCALES {
        lexicon.entry(word).or_default().number = Some(NumberWord::Scale(scale));
    }
    lexicon
});

static OPPOSITES: LazyLock<FxHashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let mut opposites = FxHashMap::<&str, Vec<&str>>::default();
    for line in OPPOSITE_PAIRS.lines() {
        let mut sides = line.split('|').map(|side| side.split_whitespace().collect::<Vec<_>>());
        let (left, right) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        for (words, others) in [(&left, &right), (&right, &left)] {
            words
                .iter()
                .for_each(|word| opposites.entry(word).or_default().extend(others));
        }
    }
    opposites
});

const ENGLISH: &str = "a an the this that these those of in on at by for from to with into onto as about over under \
between through during per via and or but nor so if then than because while although though whereas however \
is are was were be been being am do does did done doing has have had having will would shall should can could may \
might must i you he she it we they me him her us them my your his its our their mine yours hers ours theirs \
who whom whose which what when where why how there here also too very just only such some any each every all both \
either other another same own s t re ve ll d m o it's which's upon out up down off again more most many much \
after before until since because itself himself herself themselves one's s' yes whether like around";

// Words that are content in English are left to English: son, hay, era, solo, sin; quince, mar, metro, pie below.
const SPANISH: &str = "el la los las un una unos unas lo al del de en con por para a ante bajo desde entre hacia \
hasta segun sobre tras durante mediante y e o u pero aunque sino que quien quienes cual cuales cuyo cuya donde cuando \
como cuanto cuanta cuantos cuantas porque pues si es eran fue fueron ser sido siendo sera seran esta estan \
estaba estaban estar estuvo habia hubo ha han haber habia he hemos tiene tienen tenia tener se me te nos os le les \
mi mis tu tus su sus nuestro nuestra nuestros nuestras yo ella ello ellos ellas nosotros usted ustedes este estos \
estas eso esa ese esos esas esto aquel aquella aquello mas muy tambien ya tan tanto todo toda todos todas otro \
otra otros otras mismo misma cada algo alguien algun alguno alguna algunos algunas cuya se puede pueden podria";

// "sin" negates where it is Spanish: see the reader.
const NEGATIONS: &str = "no not never none nobody nothing neither nor without cannot cant dont doesnt didnt isnt arent \
wasnt werent wont wouldnt shouldnt couldnt hasnt havent hadnt aint mustnt neednt shant nowhere nunca jamas ni nada \
nadie ningun ninguno ninguna tampoco";

const KNOWING: &str = "know known find found answer provide sure determine access information help assist confirm \
identify available locate data record say tell certain saber puedo encuentro encontre encontrar conozco respuesta \
responder informacion seguro";

const EXPLAINING: &str = "why how should explain describe difference differences advice tips tip happens happen causes \
cause purpose reason point way sucede razon explica explicar diferencia debo deberia consejo consejos";

const IGNORANT: &str = "unable unclear unknown clarify unsure desconozco desconocido desconocida";

const HEDGES: &str = "unclear unknown depends depend vary varies myth misconception evidence subjective opinion \
typically necessarily particular specific superstition fictional fiction legend folklore supposedly allegedly \
disputed debate uncertain mito leyenda depende evidencia";

const UNITS: &str = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen \
sixteen seventeen eighteen nineteen";
const ORDINALS: &str = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth \
thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth";
const TENS: &str = "twenty thirty forty fifty sixty seventy eighty ninety";
const TENTHS: &str = "twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth";
// "once" and "quince" are left to English, where they are no numbers.
const UNITS_ES: &str = "cero uno dos tres cuatro cinco seis siete ocho nueve diez undecimo doce trece catorce decimoquinto \
dieciseis diecisiete dieciocho diecinueve veinte veintiuno veintidos veintitres veinticuatro veinticinco veintiseis \
veintisiete veintiocho veintinueve";
const ORDINALS_ES: &str = "ceroavo primero segundo tercero cuarto quinto sexto septimo octavo noveno decimo";
const TENS_ES: &str = "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa";
const SCALES: [(&str, u64); 14] = [
    ("hundred", 100),
    ("hundreds", 100),
    ("thousand", 1_000),
    ("thousands", 1_000),
    ("million", 1_000_000),
    ("millions", 1_000_000),
    ("billion", 1_000_000_000),
    ("billions", 1_000_000_000),
    ("trillion", 1_000_000_000_000),
    ("cien", 100),
    ("ciento", 100),
    ("mil", 1_000),
    ("millon", 1_000_000),
    ("millones", 1_000_000),
];

// The month of May is "mayo", so that it is not the verb.
const CANONICAL: &str = "january jan enero
february feb febrero
march marzo
april apr abril
mayo mayo
june jun junio
july jul julio
august aug agosto
september sep sept septiembre
october oct octubre
november nov noviembre
december dec diciembre
saint st
mount mt
junior jr jnr
senior sr snr
doctor dr
mister mr
versus vs
kilometre km kms kilometer kilometers kilometres kilometro kilometros
centimetre cm centimeter centimeters centimetres centimetro centimetros
metre meter meters metres metros
kilogram kg kgs kilograms kilo kilos kilogramo kilogramos
mile miles milla millas
foot ft feet
pound lb lbs pounds
hour hr hrs hours hora horas
minute min mins minutes minuto minutos
percent pct percentage
england english
britain british
usa america american
child children kid kids
man men
woman women
person people
color colour colors colours
television tv
automobile car cars";

const OPPOSITE_PAIRS: &str = "north northern|south southern
east eastern|west western
left|right
up|down
above|below
before|after
antes|despues
first|last
primero|ultimo
more|less fewer
mas|menos
most|least
increase increases increased rise rises|decrease decreases decreased fall falls drop drops
aumenta aumentar|disminuye disminuir reduce
high higher highest|low lower lowest
alto alta|bajo baja
hot hotter warm|cold colder cool
caliente|frio fria
big bigger large larger largest|small smaller smallest little tiny
grande|pequeno pequena
fast faster quickly|slow slower slowly
rapido|lento
long longer|short shorter
good better best|bad worse worst
bueno mejor|malo peor
always|never sometimes
siempre|nunca
all every everyone everything|none nobody nothing
todos|ninguno
true|false
verdadero|falso
safe safely harmless|dangerous unsafe harmful
seguro|peligroso
healthy|unhealthy
legal|illegal
possible|impossible
posible|imposible
common|rare uncommon
comun|raro
inside indoors|outside outdoors
dentro|fuera
open opened|close closed
abierto|cerrado
early earlier|late later
old older|new newer young younger
viejo|nuevo joven
male man men boy|female woman women girl
hombre|mujer
husband|wife
king|queen
rey|reina
father|mother
padre|madre
brother|sister
son|daughter
won win wins|lost lose loses
gano|perdio
buy bought|sell sold
begin begins start starts started|end ends stop stops finished
day|night
dia|noche
light|heavy dark
black|white
negro|blanco
rich|poor
strong stronger|weak weaker
full|empty
wet|dry
hard|soft
same|different
mismo|diferente distinto
positive|negative
minimum|maximum
raw|cooked
alive|dead
acid acidic|alkaline
even|odd
with|without
con|sin
allow allowed allows|forbid forbidden prohibit prohibited
thick|thin
deep|shallow
near|far
love loves|hate hates
easy easier|difficult harder
agree|disagree
accept accepted|reject rejected
pass passed|fail failed
include includes included|exclude excludes excluded
import|export
expand expands|contract contracts shrink shrinks";
