"""French names, towns and products: the words that every data set draws from."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_NAMES = (
    "Adèle", "Agnès", "Aïcha", "Alice", "Amélie", "André", "Anaïs", "Antoine", "Aurélie",
    "Baptiste", "Béatrice", "Benoît", "Camille", "Cécile", "Cédric", "Chloé", "Clément",
    "Corentin", "Damien", "Élise", "Élodie", "Émile", "Étienne", "Fanny", "François", "Françoise",
    "Gaël", "Gaëlle", "Hélène", "Inès", "Jérôme", "Joël", "Julie", "Karim", "Léa", "Léo", "Loïc",
    "Lucas", "Maël", "Maëlys", "Margaux", "Mathéo", "Mélanie", "Nathan", "Noé", "Noémie",
    "Océane", "Pénélope", "Quentin", "Rémi", "Romane", "Sébastien", "Sofiane", "Solène", "Thaïs",
    "Théo", "Valérie", "Yasmine", "Zoé",
)  # fmt: skip

SURNAMES = (
    "André", "Barbé", "Béranger", "Bernard", "Bézier", "Blanchard", "Bonnet", "Boulanger",
    "Brûlé", "Caillé", "Chevalier", "Clément", "Crépin", "Da Silva", "D'Hervé", "Delaître",
    "Deschênes", "Desprès", "Diallo", "Dubois", "Dupré", "Durand", "Fabre", "Faÿ", "Fèvre",
    "Garnier", "Gérard", "Giraud", "Guérin", "Hébert", "Hervé", "Jérémie", "Lacroix", "Lefèvre",
    "Legrand", "Lemaître", "Le Goff", "Léger", "Martin", "Masséna", "Ménard", "Moreau", "Müller",
    "N'Guyen", "Noël", "Pélissier", "Périer", "Petit", "Prévost", "Rénier", "Roussel", "Sérac",
    "Thévenin", "Traoré", "Vallée", "Zidée",
)  # fmt: skip

MAIL_DOMAINS = ("exemple.fr", "courriel.example", "mel.example", "poste.example")

# A town and its share of the clients.
CITIES = {
    "Paris": 18, "Marseille": 9, "Lyon": 9, "Toulouse": 7, "Nice": 5, "Nantes": 6, "Montpellier": 5,
    "Strasbourg": 5, "Bordeaux": 6, "Lille": 6, "Rennes": 4, "Reims": 3, "Saint-Étienne": 3,
    "Nîmes": 2, "Orléans": 2, "Besançon": 2, "Béziers": 2, "Évreux": 1, "Sète": 1, "Angoulême": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the catalogue and its list price in cents."""

    name: str
    category: str
    cents: int


_RANGES = ("Alizé", "Brume", "Céladon", "Délice", "Équinoxe", "Forêt", "Grève", "Héritage")

# Eight products per category, with a list price in euros.
_SHELVES: dict[str, dict[str, int]] = {
    "Alimentation": {
        "Café en grains": 14, "Thé vert": 11, "Chocolat noir": 6, "Miel de châtaignier": 12,
        "Huile d'olive": 16, "Confiture de mûres": 7, "Coffret épicé": 34, "Pâtes fraîches": 5,
    },
    "Beauté": {
        "Crème hydratante": 24, "Sérum éclat": 39, "Shampoing doux": 9, "Eau de toilette": 62,
        "Baume à lèvres": 6, "Masque à l'argile": 15, "Sèche-cheveux": 75,
        "Coffret bien-être": 110,
    },
    "Jouets": {
        "Jeu de société": 32, "Puzzle géant": 21, "Figurine articulée": 17, "Peluche": 19,
        "Circuit électrique": 89, "Boîte de construction": 64, "Poupée": 27, "Vélo d'enfant": 149,
    },
    "Livres": {
        "Roman policier": 9, "Bande dessinée": 15, "Guide de voyage": 19, "Beau livre": 45,
        "Recueil de poésie": 12, "Manuel d'informatique": 49, "Album jeunesse": 14,
        "Encyclopédie": 120,
    },
    "Maison": {
        "Lampe de bureau": 48, "Tapis tissé": 135, "Étagère murale": 69, "Cafetière": 79,
        "Théière en fonte": 54, "Fauteuil": 329, "Couette légère": 95, "Batterie de cuisine": 189,
    },
    "Sport": {
        "Chaussures de course": 119, "Sac à dos": 72, "Raquette de tennis": 139,
        "Tapis de yoga": 29, "Haltères": 46, "Vélo d'appartement": 449, "Maillot de bain": 35,
        "Tente légère": 210,
    },
    "Vêtements": {
        "Chemise en lin": 59, "Pull en laine": 85, "Jean brut": 92, "Robe d'été": 68,
        "Manteau d'hiver": 229, "Écharpe": 25, "Bonnet côtelé": 18, "Chaussettes": 8,
    },
    "Électronique": {
        "Casque audio": 159, "Clavier mécanique": 109, "Écran 27 pouces": 279, "Tablette": 389,
        "Téléphone": 649, "Ordinateur portable": 1090, "Enceinte sans fil": 99,
        "Câble tressé": 13,
    },
}  # fmt: skip

CATEGORIES = tuple(_SHELVES)

# Category after category, and as many products in each.
PRODUCTS = tuple(
    Product(f"{noun} {line}", category, euros * 100)
    for category, shelf in _SHELVES.items()
    for noun, euros in shelf.items()
    for line in _RANGES
)
