/* The words of the made-up tasks: a few hundred common ones, so that a small vocabulary holds each as one piece. */
#include "synth.h"

#define LIST(name, ...)                                  \
    static const char *const name##_w[] = {__VA_ARGS__}; \
    const words name = {sizeof name##_w / sizeof *name##_w, name##_w}
#define PAIRS(name, ...)                                    \
    static const char *const name##_w[][2] = {__VA_ARGS__}; \
    const pairs name = {sizeof name##_w / sizeof *name##_w, name##_w}

#define ANIMALS                                                                                                      \
    "cat", "dog", "horse", "cow", "pig", "sheep", "goat", "lion", "tiger", "bear", "wolf", "fox", "rabbit", "mouse", \
        "duck", "goose", "hen", "frog", "snake", "whale", "shark", "eagle", "owl", "bee"
#define FOODS                                                                                                        \
    "bread", "rice", "apple", "pear", "plum", "grape", "lemon", "onion", "potato", "carrot", "bean", "soup", "cake", \
        "pie", "egg", "cheese", "butter", "honey", "salt", "sugar", "meat", "milk", "tea", "nut"
#define OBJECTS                                                                                                       \
    "table", "chair", "lamp", "clock", "book", "pen", "cup", "plate", "spoon", "box", "bag", "key", "door", "window", \
        "bed", "shelf", "mirror", "bell", "rope", "coin", "map", "ring", "candle", "ball"
#define CLOTHES "hat", "coat", "shirt", "dress", "sock", "shoe", "glove", "scarf", "belt", "boot", "jacket", "skirt"
#define PLACES                                                                                                        \
    "house", "garden", "school", "market", "park", "river", "lake", "hill", "beach", "station", "library", "kitchen", \
        "farm", "forest", "church", "bridge", "street", "castle", "shop", "island", "tower", "field", "village",      \
        "harbour"
#define JOBS                                                                                                       \
    "teacher", "doctor", "farmer", "baker", "sailor", "soldier", "painter", "singer", "driver", "writer", "nurse", \
        "judge", "cook", "pilot"
#define VEHICLES "car", "bus", "train", "boat", "ship", "bike", "truck", "cart", "plane", "tram"
#define TOOLS "hammer", "saw", "axe", "nail", "drill", "shovel", "brush", "needle", "ladder", "knife"
#define BODY "hand", "foot", "head", "arm", "leg", "eye", "ear", "nose", "mouth", "knee", "neck"
#define WOMEN                                                                                                       \
    "Anna", "Clara", "Emma", "Grace", "Ida", "Kate", "Mary", "Olga", "Rose", "Tina", "Vera", "Zoe", "Lucy", "Jane", \
        "Helen", "Nora"
#define MEN                                                                                                         \
    "Ben", "David", "Frank", "Henry", "Jack", "Leo", "Nick", "Paul", "Sam", "Tom", "Will", "Max", "Peter", "Oscar", \
        "Adam", "Hugo"

LIST(animals, ANIMALS);
LIST(foods, FOODS);
LIST(objects, OBJECTS);
LIST(clothes, CLOTHES);
LIST(places, PLACES);
LIST(jobs, JOBS);
LIST(vehicles, VEHICLES);
LIST(tools, TOOLS);
LIST(body, BODY);
LIST(nouns, ANIMALS, FOODS, OBJECTS, CLOTHES, PLACES, JOBS, VEHICLES, TOOLS, BODY);
LIST(women, WOMEN);
LIST(men, MEN);
LIST(people, WOMEN, MEN);
LIST(colours, "red", "blue", "green", "yellow", "black", "white", "brown", "grey", "pink", "purple");
LIST(praise, "good", "great", "lovely", "nice", "fine", "wonderful", "brilliant", "excellent", "pleasant", "charming",
     "delightful", "perfect", "superb", "splendid");
LIST(blame, "bad", "awful", "terrible", "poor", "ugly", "horrible", "dull", "boring", "dreadful", "nasty", "disgusting",
     "useless", "broken", "weak");
LIST(plain, "big", "small", "old", "new", "long", "short", "tall", "wide", "heavy", "light", "round", "empty");
LIST(weekdays, "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday");
LIST(months, "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
     "November", "December");
LIST(numerals, "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
     "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty",
     "forty", "fifty", "sixty", "seventy", "eighty", "ninety");
LIST(syllables, "ba", "be", "do", "fa", "gi", "ka", "ko", "la", "lu", "ma", "mi", "no", "pa", "ri", "ro", "su", "ta",
     "ti", "vo", "zu");

PAIRS(opposites, {"big", "small"}, {"old", "new"}, {"long", "short"}, {"hot", "cold"}, {"wet", "dry"},
      {"full", "empty"}, {"fast", "slow"}, {"heavy", "light"}, {"high", "low"}, {"open", "closed"}, {"early", "late"},
      {"rich", "poor"}, {"strong", "weak"}, {"hard", "soft"}, {"loud", "quiet"}, {"clean", "dirty"}, {"thick", "thin"},
      {"sweet", "sour"}, {"happy", "sad"}, {"near", "far"});
PAIRS(synonyms, {"large", "big"}, {"little", "small"}, {"quick", "fast"}, {"glad", "happy"}, {"ill", "sick"},
      {"silent", "quiet"}, {"wealthy", "rich"}, {"angry", "cross"}, {"clever", "smart"}, {"pretty", "beautiful"},
      {"frightened", "afraid"}, {"wicked", "evil"}, {"odd", "strange"}, {"calm", "peaceful"}, {"brave", "bold"},
      {"weary", "tired"});
PAIRS(capitals, {"France", "Paris"}, {"Italy", "Rome"}, {"Spain", "Madrid"}, {"Greece", "Athens"}, {"Egypt", "Cairo"},
      {"Japan", "Tokyo"}, {"China", "Beijing"}, {"Russia", "Moscow"}, {"Norway", "Oslo"}, {"Sweden", "Stockholm"},
      {"Poland", "Warsaw"}, {"Peru", "Lima"}, {"Cuba", "Havana"}, {"Kenya", "Nairobi"}, {"Ireland", "Dublin"},
      {"Austria", "Vienna"}, {"Portugal", "Lisbon"}, {"Canada", "Ottawa"}, {"India", "Delhi"}, {"Turkey", "Ankara"});
PAIRS(youngs, {"cat", "kitten"}, {"dog", "puppy"}, {"horse", "foal"}, {"cow", "calf"}, {"pig", "piglet"},
      {"sheep", "lamb"}, {"goat", "kid"}, {"lion", "cub"}, {"duck", "duckling"}, {"hen", "chick"}, {"frog", "tadpole"},
      {"goose", "gosling"});
PAIRS(sounds, {"cat", "meow"}, {"dog", "bark"}, {"horse", "neigh"}, {"cow", "moo"}, {"pig", "grunt"},
      {"sheep", "bleat"}, {"lion", "roar"}, {"wolf", "howl"}, {"duck", "quack"}, {"snake", "hiss"}, {"owl", "hoot"},
      {"bee", "buzz"});
PAIRS(plurals, {"cat", "cats"}, {"dog", "dogs"}, {"horse", "horses"}, {"mouse", "mice"}, {"goose", "geese"},
      {"foot", "feet"}, {"man", "men"}, {"woman", "women"}, {"child", "children"}, {"tooth", "teeth"},
      {"sheep", "sheep"}, {"leaf", "leaves"}, {"knife", "knives"}, {"box", "boxes"}, {"city", "cities"},
      {"baby", "babies"}, {"dish", "dishes"}, {"book", "books"}, {"lamp", "lamps"}, {"wolf", "wolves"},
      {"fox", "foxes"}, {"key", "keys"}, {"lady", "ladies"}, {"house", "houses"});

static const verb verb_v[] = {
    {"buy", "bought", "buys"},         {"sell", "sold", "sells"},      {"find", "found", "finds"},
    {"lose", "lost", "loses"},         {"see", "saw", "sees"},         {"take", "took", "takes"},
    {"bring", "brought", "brings"},    {"break", "broke", "breaks"},   {"make", "made", "makes"},
    {"hide", "hid", "hides"},          {"clean", "cleaned", "cleans"}, {"paint", "painted", "paints"},
    {"carry", "carried", "carries"},   {"want", "wanted", "wants"},    {"draw", "drew", "draws"},
    {"repair", "repaired", "repairs"}, {"wash", "washed", "washes"},   {"choose", "chose", "chooses"}};
const struct verbs verbs = {sizeof verb_v / sizeof *verb_v, verb_v};

static const struct sort sort_s[] = {{"animal", &animals}, {"food", &foods},       {"place", &places},
                                     {"job", &jobs},       {"clothing", &clothes}, {"vehicle", &vehicles},
                                     {"tool", &tools},     {"body", &body},        {"colour", &colours}};
const struct sorts sorts = {sizeof sort_s / sizeof *sort_s, sort_s};
