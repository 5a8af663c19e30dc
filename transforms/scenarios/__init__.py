"""Step 7, scenarios: changes to who calls what and to what that costs, exact to the last digit."""
