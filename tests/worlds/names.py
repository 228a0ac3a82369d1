"""Names of people and companies in eight countries, composed from parts, with frequencies as real names have them.

Few names are common and most are rare: the n-th is drawn with weight 1 / n**0.8. Bulgarian names are written in
Cyrillic and Greek ones in Greek; `latin` gives the spellings that people use for them, of which there are several.
"""

from __future__ import annotations

import bisect
import itertools
import random
from dataclasses import dataclass, field
from functools import cache

COUNTRIES = ("DE", "US", "GB", "FR", "NL", "PL", "BG", "GR")
#: Share of the accounts in each country.
SHARES = (0.22, 0.22, 0.16, 0.12, 0.08, 0.08, 0.06, 0.06)
LANGUAGES = {"DE": "de", "US": "en", "GB": "en", "FR": "fr", "NL": "nl", "PL": "pl", "BG": "bg", "GR": "el"}


@dataclass
class Names:
    """A list of names with weights."""

    values: list[str]
    power: float = 0.8
    sums: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.values = list(dict.fromkeys(self.values))
        self.sums = list(itertools.accumulate(1 / (n + 3) ** self.power for n in range(len(self.values))))

    def draw(self, rng: random.Random) -> str:
        return self.values[bisect.bisect(self.sums, rng.random() * self.sums[-1])]


def _words(text: str) -> list[str]:
    return text.split(",")


def _product(first: str, second: str) -> list[str]:
    """All compositions of two lists of parts, in an order that mixes them."""
    left, right = first.split(), second.split()
    pairs = [(i * 7 + j * 11, a + b) for i, a in enumerate(left) for j, b in enumerate(right)]
    return [name for _, name in sorted(pairs)]


GIVEN_COMMON = {
    "DE": "Thomas Anna Michael Julia Andreas Katharina Stefan Sabine Jürgen Petra Christian Monika Jörg Claudia Günter Ute Sören Käthe Björn Bärbel Uwe Heike Frank Silke Matthias Anja Ralf Birgit Lukas Lena",
    "US": "James Mary John Jennifer Robert Linda Michael Patricia William Elizabeth David Barbara Richard Susan Joseph Jessica Thomas Karen Daniel Nancy Matthew Lisa Anthony Betty Mark Ashley Steven Emily Andrew Kimberly",
    "GB": "David Sarah Paul Emma Andrew Claire Stephen Laura Ian Helen Simon Rachel Graham Fiona Nigel Gemma Keith Joanne Alistair Siobhan Gareth Rhiannon Callum Isla Oliver Amelia Harry Freya George Poppy",
    "FR": "Jean Marie Pierre Nathalie Michel Isabelle Philippe Sylvie Alain Françoise François Hélène Gérard Céline Éric Aurélie Rémi Chloé Benoît Zoé Loïc Maëlle Stéphane Véronique Frédéric Agnès Jérôme Noémie Thierry Brigitte",
    "NL": "Jan Maria Johannes Anna Pieter Johanna Hendrik Wilhelmina Cornelis Elisabeth Kees Marijke Joost Sanne Daan Fleur Bram Lotte Sander Femke Ruud Ingrid Wouter Anouk Maarten Marloes Jeroen Esther Thijs Roos",
    "PL": "Anna Piotr Maria Krzysztof Katarzyna Andrzej Małgorzata Tomasz Agnieszka Paweł Barbara Michał Ewa Marcin Krystyna Jakub Elżbieta Łukasz Zofia Grzegorz Joanna Rafał Magdalena Sławomir Żaneta Wojciech Dorota Zbigniew Halina Bożena",
    "BG": "Georgi Maria Ivan Elena Dimitar Ivanka Nikolay Daniela Petar Desislava Hristo Gergana Todor Yordanka Stefan Radka Aleksandar Viktoria Vasil Tsvetelina Plamen Rositsa Boris Zhivka Stoyan Yana Kiril Milena Asen Lyudmila",
    "GR": "Georgios Maria Dimitrios Eleni Konstantinos Aikaterini Ioannis Vasiliki Nikolaos Sofia Christos Angeliki Panagiotis Georgia Vasileios Dimitra Athanasios Konstantina Michail Paraskevi Evangelos Anna Spyridon Ioanna Antonios Panagiota Stavros Despina Thomas Kyriaki",
}

#: Rarer given names, composed: Germanic, Slavic, Romance, Greek and English parts.
_GERMANIC = _product(
    "Adal Bern Diet Ever Fried Ger Gott Hart Hein Helm Her Il Kon Leon Lud Mark Mein Ort Rein Rud Sieg Theo Volk Wal Wil Wolf",
    "bert hard helm mar mund rich wald win wig ram gund linde traud hild",
)
_SLAVIC = _product(
    "Bogu Boli Brani Budi Dobro Drago Godi Jaro Kazi Ludo Lubo Mili Miro Rado Rati Rosti Sla Stani Sobie Svato Tomi Vadi Veli Vladi Vojte Zdzi",
    "sław mir wit mił rad bor woj ława mira miła rada bora",
)
_ROMANCE = _product(
    "Aur Bas Clar Clém Const Dor Emil Fab Flor Gabr Jul Luc Marcell Max Oct Paul Quent Rom Sabr Séb Syl Ter Val Vict Viv Yol",
    "ien ienne ette ine in iane ice elle ane on onie",
)
_ENGLISH = _product(
    "Ash Brad Brent Carl Clay Dal Ed El Gray Har Jack Ken Lang Mar Nor Pres Quin Rad Shel Stan Tre War Wes Win",
    "ton ley lyn son ford den wyn den ella ina",
)
_DUTCH = _product(
    "Al Bar Be Cor Di Eg Fok Gij Har He Jel Jor Lie Mar Mee Nol Rei Sie Tjer Wie",
    "bert tje ke ma rik nus leke sje win jan",
)
_BULGARIAN = _product(
    "Bog Bozh Velim Vesel Dobr Drag Zhel Zlat Kal Krast Lyub Mlad Mil Nayd Ogn Rad Raych Svet Slav Spas Stoil Tihom Hub Tsvet Yav",
    "in o an ka omir yana a oy ena etka",
)
_GREEK = _product(
    "Agath Alex Anast Andr Arist Charal Epam Eust Kall Kle Leon Lys Men Nikif Peri Phil Prok Sok Sot Them Theod Tim Xen Zin",
    "ios ia is iki andros ippos oula enia",
)
GIVEN_RARE = {
    "DE": _GERMANIC,
    "US": _ENGLISH + _GERMANIC[::9],
    "GB": _ENGLISH[::-1],
    "FR": _ROMANCE,
    "NL": _DUTCH,
    "PL": _SLAVIC,
    "BG": _BULGARIAN,
    "GR": _GREEK,
}

SURNAMES = {
    "DE": _words(
        "Müller,Schmidt,Schneider,Fischer,Weber,Meyer,Wagner,Becker,Schulz,Hoffmann,Schäfer,Koch,Bauer,Richter,Klein,Wolf,Schröder,Neumann,Schwarz,Krüger,Köhler,König,Weiß,Jäger,Groß"
    )
    + _product(
        "Acker Berg Birken Brand Buch Burg Dorn Eichen Eisen Feld Grün Hasel Heiden Hirsch Hoch Hof Kirch Krumm Linden Mühl Neu Nieder Ober Ost Reb Reich Rosen Ruß Sand Schön Stein Stern Tal Tann Unter Wald Wein Weiden Wiesen Winter",
        "mann meier bauer bach berg stein hofer müller dorfer haus huber eck feld ner thal wirth au stätter",
    ),
    "US": _words(
        "Smith,Johnson,Williams,Brown,Jones,Garcia,Miller,Davis,Rodriguez,Martinez,Hernandez,Lopez,Gonzalez,Wilson,Anderson,Thomas,Taylor,Moore,Jackson,Martin,Lee,Thompson,White,Harris,Clark"
    )
    + _product(
        "Ash Black Brad Bridge Brook Carl Chester Cole Cran Dun East Ever Fair Green Hart Hather Hill Kings Lang Long Marsh Mid North Oak Pem Rad Red Ridge Shef South Stan Thorn Wake West Whit Wood",
        "ford ton ley worth wood field well man bury by ham ridge stone brook",
    ),
    "GB": _words(
        "Smith,Jones,Taylor,Brown,Williams,Wilson,Johnson,Davies,Robinson,Wright,Thompson,Evans,Walker,White,Roberts,Green,Hall,Wood,Jackson,Clarke,Patel,Khan,Lewis,James,Phillips"
    )
    + _product(
        "Aber Aird Bal Blen Car Clay Cold Craig Crom Dal Drum Ender Fen Gal Glen Haw Inver Kil Kirk Lang Loch Mac Mil Ness Pen Pitt Ross Ruther Strath Tam Trew Tul Ullen Wal Win",
        "kinnon donald moor dale more burn by shaw land lair gowan castle wick loch ard nan",
    ),
    "FR": _words(
        "Martin,Bernard,Dubois,Thomas,Robert,Richard,Petit,Durand,Leroy,Moreau,Simon,Laurent,Lefebvre,Michel,Garcia,David,Bertrand,Roux,Vincent,Fournier,Lefèvre,Gauthier,Bélanger,Côté,Noël"
    )
    + _product(
        "Beau Bel Bon Chan Char Clair Cour Des Du Font Four Gran Haut La Le Long Mal Mont Neuf Pel Per Pont Roche Saint- Val Ville Bois Cham",
        "mont pré champs teau bois ville lieu court fort marin vallon grange pierre roy blanc tier",
    ),
    "NL": _words(
        "de Jong,Jansen,de Vries,van den Berg,Bakker,van Dijk,Visser,Janssen,Smit,Meijer,de Boer,Mulder,de Groot,Bos,Vos,Peters,Hendriks,van Leeuwen,Dekker,Brouwer"
    )
    + [
        f"{p} {s}"
        for s in _product(
            "Linden Meul Dool Heuvel Water Bosch Broek Hoek Laar Oever Veld Zand Kamp Horst Wiel Dam Berk Eik Duin Vaar",
            "aar en stra man weg huis stee gaard dijk horst",
        )
        for p in ("van der", "van")
    ],
    "PL": _words(
        "Nowak,Kowalski,Wiśniewski,Wójcik,Kowalczyk,Kamiński,Lewandowski,Zieliński,Woźniak,Szymański,Dąbrowski,Kozłowski,Jankowski,Mazur,Kwiatkowski,Krawczyk,Piotrowski,Grabowski,Pawłowski,Król"
    )
    + _product(
        "Adam Bąk Bielaw Borow Brzez Chmiel Cies Czar Dęb Dobrow Gaj Głow Górn Jabłoń Jasiń Kalin Lip Łuk Malin Nied Olsz Ostrow Pol Rudz Sad Sok Szcz Wierzb Zarem Żuk",
        "owski ewski iński ak czyk ek owicz ecki ik uk iak",
    ),
    "BG": _product(
        "Ivan Georgi Dimitr Petr Nikol Hrist Stoyan Todor Iliy Vasil Angel Atanas Kol Yordan Marin Stefan Bor Stan Krast Pop Dobr Dragan Rad Mihayl Simeon Tsvet Zhiv Zlat Kalin Lyub Mladen Nayden Penk Rus Sav Traych Valk Yank Boyadzhi Terzi",
        "ov ev ski enkov chev arski",
    ),
    "GR": _product(
        "Papad Georgi Dimitri Nikola Ioann Konstantin Vasil Athanas Christ Theod Panagi Mich Anton Stav Karag Kost Manol Stef Sot Spyr Tsamp Vlach Xenak Zacharopoul Alexi Andreou Evangel Kalog Makr Mavr",
        "opoulos idis akis atos oglou ellis ou eas iadis",
    ),
}

_SYLLABLES = _product(
    "Al Ar Bel Bren Cal Cor Dal Del Dyn El Fal Gal Hel In Kor Lum Mar Nor Or Pal Quan Ros Sal Tal Ul Ver Vis Wes Xan Zen",
    "tec nova dian vex lion tera mont quest gard vision sana metrix line plex via trans cor vent dex tium",
)
_NOUNS = _words(
    "Alpine,Anchor,Apex,Arrow,Atlas,Beacon,Bright,Cedar,Compass,Coral,Crown,Delta,Eagle,Ember,Falcon,Forge,Frontier,Granite,Harbor,Heron,Horizon,Island,Juniper,Keystone,Lantern,Liberty,Maple,Meridian,Mountain,Northern,Oak,Orchard,Pacific,Phoenix,Pioneer,Prairie,Quarry,River,Rowan,Sierra,Silver,Southern,Spring,Sterling,Summit,Sunrise,Thunder,Titan,Union,Valley,Vanguard,Vertex,Western,Willow"
)
_COMPOUNDS = _product(
    "Aero Agri Air Aqua Auto Bio Blue Clear Core Data Deep Eco Ever Fine First Gold High Iron Key Land",
    "bridge craft field flow gate hub link mark path point port scope shift stream wave works",
)
#: Words that companies are named by, 800 and more.
BRANDS = list(
    dict.fromkeys(word for row in itertools.zip_longest(_NOUNS, _SYLLABLES, _COMPOUNDS) for word in row if word)
)

#: What companies do, by country.
TRADES = {
    "DE": _words(
        "Logistik,Maschinenbau,Elektrotechnik,Technologie,Lösungen,Systeme,Bau,Pharma,Medizintechnik,Energie,Software,Beratung,Handel,Werkzeugbau,Kältetechnik,Immobilien"
    ),
    "US": _words(
        "Logistics,Manufacturing,Solutions,Systems,Technologies,Construction,Pharmaceuticals,Medical,Energy,Software,Consulting,Trading,Foods,Insurance Services,Real Estate,Partners"
    ),
    "GB": _words(
        "Logistics,Engineering,Solutions,Systems,Technology,Building Services,Pharma,Healthcare,Energy,Software,Consultants,Trading,Foods,Insurance Brokers,Property,Associates"
    ),
    "FR": _words(
        "Logistique,Mécanique,Solutions,Systèmes,Technologies,Construction,Pharma,Santé,Énergie,Logiciels,Conseil,Négoce,Alimentation,Assurances,Immobilier,Électronique"
    ),
    "NL": _words(
        "Logistiek,Machinebouw,Oplossingen,Systemen,Technologie,Bouw,Farma,Zorg,Energie,Software,Advies,Handel,Voeding,Verzekeringen,Vastgoed,Transport"
    ),
    "PL": _words(
        "Logistyka,Maszyny,Rozwiązania,Systemy,Technologie,Budownictwo,Farma,Zdrowie,Energia,Oprogramowanie,Doradztwo,Handel,Żywność,Ubezpieczenia,Nieruchomości,Transport"
    ),
    "BG": _words(
        "Logistika,Mashini,Reshenia,Sistemi,Tehnologii,Stroitelstvo,Farma,Zdrave,Energia,Softuer,Konsult,Targovia,Hrani,Zastrahovane,Imoti,Transport"
    ),
    "GR": _words(
        "Metafores,Michanes,Lyseis,Systimata,Technologia,Kataskeves,Pharma,Ygeia,Energeia,Logismiko,Symvouloi,Emporiki,Trofima,Asfaleies,Akinita,Naftiliaki"
    ),
}

#: Legal forms with their spellings; the first is the usual one.
FORMS = {
    "DE": [
        ["GmbH", "G.m.b.H.", "gmbh", "Gesellschaft mit beschränkter Haftung", "GMBH"],
        ["AG", "Aktiengesellschaft", "A.G."],
        ["GmbH & Co. KG", "GmbH und Co KG", "GmbH&Co.KG", "GmbH + Co. KG"],
        ["e.K.", "eK", "e. Kfm."],
        ["UG (haftungsbeschränkt)", "UG", "UG haftungsbeschränkt"],
    ],
    "US": [
        ["Inc.", "Inc", "Incorporated", ", Inc.", "INC"],
        ["LLC", "L.L.C.", "Llc"],
        ["Corp.", "Corporation", "Corp"],
        ["Co.", "Company", "Co"],
    ],
    "GB": [["Ltd", "Limited", "Ltd.", "LTD"], ["PLC", "plc", "Public Limited Company"], ["LLP", "L.L.P."]],
    "FR": [["SARL", "S.A.R.L.", "Sarl"], ["SAS", "S.A.S.", "Société par actions simplifiée"], ["SA", "S.A."]],
    "NL": [["B.V.", "BV", "bv"], ["N.V.", "NV"], ["V.O.F.", "VOF"]],
    "PL": [
        ["Sp. z o.o.", "sp. z o. o.", "Spółka z o.o.", "Sp.z.o.o.", "Spolka z ograniczona odpowiedzialnoscia"],
        ["S.A.", "SA", "Spółka Akcyjna"],
        ["Sp. k.", "Spółka komandytowa"],
    ],
    "BG": [["ООД", "OOD", "Ltd"], ["ЕООД", "EOOD"], ["АД", "AD"]],
    "GR": [["Α.Ε.", "A.E.", "AE", "S.A."], ["Ε.Π.Ε.", "E.P.E.", "EPE"], ["Ο.Ε.", "O.E."]],
}
_CITIES = {
    "DE": "Berlin,10115,30;Hamburg,20095,40;München/Munich,80331,89;Köln/Cologne,50667,221;Frankfurt am Main/Frankfurt,60311,69;Stuttgart,70173,711;Düsseldorf/Dusseldorf,40213,211;Nürnberg/Nuremberg,90402,911;Leipzig,04109,341;Würzburg/Wuerzburg,97070,931",
    "US": "New York/NYC,10001,212;Los Angeles/LA,90012,213;Chicago,60601,312;Houston,77002,713;Philadelphia,19103,215;Phoenix,85004,602;San Francisco/SF,94103,415;Saint Louis/St. Louis,63101,314;Boston,02108,617;Denver,80202,303",
    "GB": "London,EC1A 1BB,20;Manchester,M1 1AE,161;Birmingham,B1 1AA,121;Leeds,LS1 1UR,113;Glasgow,G1 1XQ,141;Edinburgh,EH1 1YZ,131;Bristol,BS1 4DJ,117;Cardiff/Caerdydd,CF10 1EP,29;Sheffield,S1 2HE,114;Liverpool,L1 8JQ,151",
    "FR": "Paris,75001,1;Lyon/Lyons,69001,4;Marseille/Marseilles,13001,4;Toulouse,31000,5;Nantes,44000,2;Saint-Étienne/St Etienne,42000,4;Orléans/Orleans,45000,2;Bordeaux,33000,5;Lille,59000,3;Besançon/Besancon,25000,3",
    "NL": "Amsterdam,1011 AB,20;Rotterdam,3011 AD,10;Den Haag/The Hague,2511 BT,70;Utrecht,3511 AX,30;Eindhoven,5611 AZ,40;'s-Hertogenbosch/Den Bosch,5211 JX,73;Groningen,9711 CA,50;Arnhem,6811 DG,26",
    "PL": "Warszawa/Warsaw,00-001,22;Kraków/Cracow,30-001,12;Łódź/Lodz,90-001,42;Wrocław/Wroclaw,50-001,71;Poznań/Poznan,60-001,61;Gdańsk/Gdansk,80-001,58;Katowice,40-001,32;Lublin,20-001,81",
    "BG": "София/Sofia,1000,2;Пловдив/Plovdiv,4000,32;Варна/Varna,9000,52;Бургас/Burgas,8000,56;Русе/Ruse,7000,82;Стара Загора/Stara Zagora,6000,42",
    "GR": "Αθήνα/Athens,105 57,21;Θεσσαλονίκη/Thessaloniki,546 22,231;Πάτρα/Patras,262 21,261;Ηράκλειο/Heraklion,712 01,281;Λάρισα/Larissa,412 22,241;Πειραιάς/Piraeus,185 31,21",
}
#: (names of the city, its own first; postal code; area code) by country.
CITIES = {
    country: [(c[0].split("/"), c[1], c[2]) for c in (city.split(",") for city in text.split(";"))]
    for country, text in _CITIES.items()
}
#: Streets, and the spellings of their kind of street.
STREETS = {
    "DE": _words(
        "Haupt{s},Bahnhof{s},Garten{s},Schiller{s},Goethe{s},Berg{s},Industrie{s},Linden{s},Mühlen{s},Ring{s},Kaiser-Wilhelm-{S},Lange {S}"
    ),
    "US": _words(
        "Main {S},Oak {S},Washington {S},2nd {S},Market {S},Lincoln {A},Park {A},Madison {A},Sunset {B},Industrial {B},Lake {S},Hill {S}"
    ),
    "GB": _words(
        "High {S},Station {R},London {R},Church {S},Victoria {R},Queen {S},Park {R},Mill {L},King {S},New {S},Grange {R},York {R}"
    ),
    "FR": _words(
        "{R} de la République,{R} Victor Hugo,{A} Jean Jaurès,{B} Saint-Michel,{R} Pasteur,{R} du Moulin,{A} de la Gare,{R} des Écoles,{R} Gambetta,{B} Voltaire"
    ),
    "NL": _words(
        "Kerk{s},Dorps{s},Molen{s},School{s},Stations{w},Industrie{w},Beatrix{s},Juliana{s},Wilhelmina{s},Konings{w}"
    ),
    "PL": _words(
        "{U} Polna,{U} Leśna,{U} Słoneczna,{U} Krótka,{U} Szkolna,{U} Ogrodowa,{U} Lipowa,{U} Mickiewicza,{U} Kościuszki,{U} Długa"
    ),
    "BG": _words(
        "{U} Васил Левски,{U} Витоша,{U} Цар Симеон,{U} Христо Ботев,{U} Шипка,{U} Раковски,{U} Иван Вазов,{U} Опълченска"
    ),
    "GR": _words("Ερμού,Πανεπιστημίου,Σταδίου,Αθηνάς,Τσιμισκή,Εγνατία,Κολοκοτρώνη,Βενιζέλου,Αγίου Δημητρίου"),
}
KINDS = {
    "DE": {"s": ["straße", "str.", "strasse", "str"], "S": ["Straße", "Str.", "Strasse"]},
    "US": {"S": ["Street", "St", "St."], "A": ["Avenue", "Ave", "Ave."], "B": ["Boulevard", "Blvd", "Blvd."]},
    "GB": {"S": ["Street", "St"], "R": ["Road", "Rd", "Rd."], "L": ["Lane", "Ln"]},
    "FR": {"R": ["rue", "Rue", "R."], "A": ["avenue", "Av.", "Avenue"], "B": ["boulevard", "Bd", "Boulevard"]},
    "NL": {"s": ["straat", "str.", "str"], "w": ["weg", "weg"]},
    "PL": {"U": ["ul.", "ulica", "ul"]},
    "BG": {"U": ["ул.", "улица", "ul."]},
    "GR": {},
}
DIAL = {"DE": "49", "US": "1", "GB": "44", "FR": "33", "NL": "31", "PL": "48", "BG": "359", "GR": "30"}
DOMAINS = {"DE": "de", "US": "com", "GB": "co.uk", "FR": "fr", "NL": "nl", "PL": "pl", "BG": "bg", "GR": "gr"}
#: Domains of mailboxes that anyone can have: sharing one tells nothing.
MAILBOXES = (
    "gmail.com",
    "outlook.com",
    "yahoo.com",
    "gmx.de",
    "web.de",
    "orange.fr",
    "abv.bg",
    "wp.pl",
    "hotmail.com",
    "icloud.com",
)
#: Short forms of given names.
NICKNAMES = {
    "Michael": "Mike",
    "William": "Bill",
    "Robert": "Bob",
    "Richard": "Dick",
    "Elizabeth": "Liz",
    "Jennifer": "Jen",
    "Thomas": "Tom",
    "James": "Jim",
    "Katharina": "Kathi",
    "Matthias": "Matze",
    "Andrew": "Andy",
    "Daniel": "Dan",
    "Patricia": "Pat",
    "Susan": "Sue",
    "Matthew": "Matt",
    "Anthony": "Tony",
    "Steven": "Steve",
    "Stephen": "Steve",
    "Johannes": "Hans",
    "Hendrik": "Henk",
    "Cornelis": "Kees",
    "Małgorzata": "Gosia",
    "Katarzyna": "Kasia",
    "Krzysztof": "Krzysiek",
    "Georgi": "Gosho",
    "Dimitar": "Mitko",
    "Konstantinos": "Kostas",
    "Dimitrios": "Dimitris",
    "Ioannis": "Giannis",
    "Aikaterini": "Katerina",
}

# Scripts

_CYRILLIC = dict(
    zip(
        _words("sht,sh,ch,zh,ts,yu,ya,a,b,v,g,d,e,z,i,y,k,l,m,n,o,p,r,s,t,u,f,h"),
        _words("щ,ш,ч,ж,ц,ю,я,а,б,в,г,д,е,з,и,й,к,л,м,н,о,п,р,с,т,у,ф,х"),
        strict=True,
    )
)
_TO_LATIN = {v: k for k, v in _CYRILLIC.items()} | {"ъ": "a", "ь": "y"}
_SCIENTIFIC = {"щ": "št", "ш": "š", "ч": "č", "ж": "ž", "ц": "c", "ю": "ju", "я": "ja", "й": "j", "х": "ch"}
_GREEK_LETTERS = dict(
    zip(
        _words("ou,th,ch,ps,ph,mp,nt,gk,x,a,v,g,d,e,z,i,k,l,m,n,o,p,r,s,t,y,f,b,c,h,j,q,u,w"),
        _words("ου,θ,χ,ψ,φ,μπ,ντ,γκ,ξ,α,β,γ,δ,ε,ζ,ι,κ,λ,μ,ν,ο,π,ρ,σ,τ,υ,φ,μπ,κ,χ,τζ,κ,ου,ου"),
        strict=True,
    )
)
_FROM_GREEK = {"ου": "ou", "μπ": "b", "ντ": "nt", "γκ": "gk", "αυ": "av", "ευ": "ev"} | dict(
    zip(
        "αβγδεζηθικλμνξοπρσςτυφχψω",
        _words("a,v,g,d,e,z,i,th,i,k,l,m,n,x,o,p,r,s,s,t,y,f,ch,ps,o"),
        strict=True,
    )
)
_OTHERWISE = {"η": "h", "χ": "h", "υ": "u", "φ": "ph", "β": "b", "ξ": "ks", "ω": "w"}
_ACCENTS = str.maketrans("άέήίόύώϊϋΐΰ", "αεηιουωιυιυ")
_MARKS = {
    **dict(zip("äöüß", ("ae", "oe", "ue", "ss"), strict=True)),
    **dict(zip("éèêëàâîïôûùçñ", "eeeeaaiiouucn", strict=True)),
    **dict(zip("ąćęłńóśźż", "acelnoszz", strict=True)),
    **dict(zip("áíúœæšžčř", ("a", "i", "u", "oe", "ae", "s", "z", "c", "r"), strict=True)),
}
_PLAIN = {"ä": "a", "ö": "o", "ü": "u"}


def _spell(text: str, letters: dict[str, str]) -> str:
    """Replaces letters, longest first, and keeps capitals."""
    out, at = [], 0
    while at < len(text):
        for size in (3, 2, 1):
            piece = text[at : at + size]
            found = letters.get(piece.lower())
            if found is not None and len(piece) == size:
                out.append(found.capitalize() if piece[0].isupper() else found)
                at += size
                break
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


@cache
def native(text: str, country: str) -> str:
    """A name as it is written in its country."""
    if country == "BG":
        return _spell(text, _CYRILLIC)
    if country == "GR":
        spelled = " ".join(_spell(word, _GREEK_LETTERS) for word in text.split(" "))
        return " ".join(word[:-1] + "ς" if word.endswith("σ") else word for word in spelled.split(" "))
    return text


@cache
def latin(text: str, way: int = 0) -> str:
    """A name in plain Latin letters: way 0 is the common romanization, way 1 another that people use."""
    text = text.translate(_ACCENTS)
    text = _spell(text, _FROM_GREEK | (_OTHERWISE if way else {}))
    text = _spell(text, _TO_LATIN | (_SCIENTIFIC if way else {}))
    return _spell(text, _MARKS | (_PLAIN if way else {}))


@cache
def given(country: str) -> Names:
    """Given names of a country, common ones first."""
    return Names(GIVEN_COMMON[country].split() + GIVEN_RARE[country], 1.0)


@cache
def surnames(country: str) -> Names:
    """Surnames of a country, common ones first."""
    return Names(SURNAMES[country], 0.7)
