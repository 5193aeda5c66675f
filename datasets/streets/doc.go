package streets
